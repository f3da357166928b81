import FoundationEssentials
import Logging
import TestSupport
import Testing

@testable import LoggerService

@Suite(.timeLimit(.minutes(1)))
struct SpoolTests {
    private static let logger = Logger(label: "spool.tests") { _ in SwiftLogNoOpLogHandler() }

    private static func store(_ path: String, floor: Int = 64 << 20, limits: StoreLimits = .init()) async throws
        -> LogStore
    {
        let store = LogStore(limits: limits, spool: try Spool(directory: path, compactionFloor: floor, logger: logger))
        try await store.restore()
        return store
    }

    /// A store as the next process has it: once the one before has let go of the folder.
    private static func reopened(_ path: String, limits: StoreLimits = .init()) async throws -> LogStore {
        var found: LogStore?
        try await eventually {
            found = try await Self.store(path, limits: limits)
            return true
        }
        return try #require(found)
    }

    private static func texts(_ store: LogStore, _ app: String = "shop") async -> [String] {
        await store.lines(of: Sample.app(app), LogQuery(lines: .max))?.map(\.line.text) ?? []
    }

    @Test func linesAndIdentitiesSurvive() async throws {
        try await withTemporaryDirectory { path in
            do {
                let store = try await Self.store(path)
                _ = try await store.ingest(Sample.batch(["a", "b"], chunk: "1"))
                _ = try await store.ingest(Sample.batch(["x"], app: "other"))
                try await store.remove(Sample.app("other"))
            }
            let again = try await Self.reopened(path)
            #expect(await Self.texts(again) == ["a", "b"])
            #expect(await Self.texts(again, "other").isEmpty)
            #expect(try await again.ingest(Sample.batch(["a", "b"], chunk: "1")) == .duplicate)
            _ = try await again.ingest(Sample.batch(["c"]))
            let lines = await again.lines(of: Sample.app("shop"), LogQuery(lines: 10))
            #expect(lines?.map(\.sequence) == [1, 2, 3])
            #expect(lines?.last?.source == Sample.batch(["c"]).runs[0].source)
        }
    }

    @Test func snapshotReplacesOldFilesAndKeepsEverythingThatCounts() async throws {
        try await withTemporaryDirectory { path in
            let limits = StoreLimits(linesPerApp: 50)
            do {
                let store = try await Self.store(path, floor: 20_000, limits: limits)
                for number in 0..<2000 {
                    _ = try await store.ingest(Sample.batch(["line \(number)"], chunk: "c\(number)"))
                }
            }
            let size = try FileManager.default.contentsOfDirectory(atPath: path).reduce(0) { size, name in
                size + (FileManager.default.contents(atPath: path + "/" + name)?.count ?? 0)
            }
            #expect(size < 300_000)
            let again = try await Self.reopened(path, limits: limits)
            #expect(await Self.texts(again) == (1950..<2000).map { "line \($0)" })
            #expect(await again.lines(of: Sample.app("shop"), LogQuery(lines: 1))?.first?.sequence == 2000)
            #expect(try await again.ingest(Sample.batch(["again"], chunk: "c7")) == .duplicate)
        }
    }

    @Test func entryCutByTheEndOfTheMachineIsLeftOut() async throws {
        try await withTemporaryDirectory { path in
            do {
                let store = try await Self.store(path)
                _ = try await store.ingest(Sample.batch(["whole"]))
                _ = try await store.ingest(Sample.batch(["cut"]))
            }
            let file = path + "/spool-0000000001.log"
            let content = try #require(FileManager.default.contents(atPath: file))
            try content.dropLast(3).write(to: URL(filePath: file))
            let again = try await Self.reopened(path)
            #expect(await Self.texts(again) == ["whole"])
            _ = try await again.ingest(Sample.batch(["after"]))
            #expect(await Self.texts(again) == ["whole", "after"])
        }
    }

    @Test func damagedFileIsRefused() async throws {
        try await withTemporaryDirectory { path in
            do {
                let store = try await Self.store(path)
                _ = try await store.ingest(Sample.batch(["abcdefgh"]))
            }
            let file = path + "/spool-0000000001.log"
            var content = try #require(FileManager.default.contents(atPath: file))
            content[content.count - 4] ^= 1
            try content.write(to: URL(filePath: file))
            // The store before lets go of the folder a moment later; then the damage shows.
            try await eventually {
                do {
                    _ = try await Self.store(path)
                    return false
                } catch is DamagedSpool {
                    return true
                }
            }
        }
    }

    @Test func secondUserIsKeptOut() async throws {
        try await withTemporaryDirectory { path in
            let first = try await Self.store(path)
            await #expect(throws: (any Error).self) { _ = try await Self.store(path) }
            _ = try await first.ingest(Sample.batch(["a"]))
        }
    }
}
