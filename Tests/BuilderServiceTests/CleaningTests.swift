import AccessTokens
import FoundationEssentials
import ObjectStorage
import PlatformModel
import TestSupport
import Testing

@testable import BuilderService

/// Source bundles go when no build needs them, and only then.
@Suite(.timeLimit(.minutes(2)))
struct CleaningTests {
    private struct Bench: Sendable {
        let controller: FakeController
        let store: any ObjectStore
        let client: ControllerClient

        func clean(grace: Duration = .zero) async throws -> [String] {
            try await SourceCleaner(
                store: store, controller: client, grace: grace, logger: BuilderFixture.quietLogger()
            ).clean()
            return try await store.listAll(prefix: "").map(\.key.description).sorted()
        }
    }

    private func withBench(_ keys: [String], _ body: @escaping @Sendable (Bench) async throws -> Void) async throws {
        let controller = FakeController { _, _ in }
        try await withTemporaryDirectory("sources") { folder in
            let store = try await makeObjectStore(url: "file://\(folder)", accessKey: nil, secretKey: nil)
            for key in keys { try await store.put(try ObjectKey(key), bytes: [1, 2, 3]) }
            try await BuilderFixture.withController(controller) { port in
                let hooks = try BuilderFixture.hooks(port: port)
                try await body(Bench(controller: controller, store: store, client: hooks))
            }
        }
    }

    @Test func bundlesOfBuildsThatAreOverGo() async throws {
        try await withBench(["sources/a/1.tar", "sources/a/2.tar", "sources/b/never-opened.tar", "other/x"]) { bench in
            let first = bench.controller.open(["receive_repo": "a", "source_key": "sources/a/1.tar"])
            bench.controller.finish(first.id, live: true)
            let second = bench.controller.open(["receive_repo": "a", "source_key": "sources/a/2.tar"])
            let left1 = try await bench.clean()
            #expect(left1 == ["other/x", "sources/a/2.tar"])
            bench.controller.finish(second.id, live: false)
            let left2 = try await bench.clean()
            #expect(left2 == ["other/x"])
        }
    }

    @Test func youngBundlesStay() async throws {
        try await withBench(["sources/a/1.tar"]) { bench in
            let left3 = try await bench.clean(grace: .seconds(600))
            #expect(left3 == ["sources/a/1.tar"])
        }
    }

    @Test func withoutAnAnswerNothingGoes() async throws {
        try await withBench(["sources/a/1.tar"]) { bench in
            bench.controller.fail(next: 1000)
            let left4 = try await bench.clean()
            #expect(left4 == ["sources/a/1.tar"])
        }
    }

    @Test func manyPagesAreCleaned() async throws {
        try await withBench((0..<1200).map { "sources/a/\($0).tar" }) { bench in
            bench.controller.open(["receive_repo": "a", "source_key": "sources/a/777.tar"])
            let left5 = try await bench.clean()
            #expect(left5 == ["sources/a/777.tar"])
        }
    }
}
