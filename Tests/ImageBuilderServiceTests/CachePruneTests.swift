import BuildTestSupport
import CommandRunner
import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// The layer cache in real container storage, pruned by the shipped imagebuilder.
@Suite(
    .enabled(if: TestEnvironment.isRequired || BuildHost.isPossible, "buildah and skopeo are not installed"),
    .timeLimit(.minutes(5)))
struct CachePruneTests {
    /// An image of four megabytes that only this name shares.
    private static func app(_ name: String) -> [String: String] {
        [
            "Dockerfile": """
            FROM docker.io/library/busybox:latest
            RUN echo \(name) && dd if=/dev/urandom of=/big bs=1M count=4 2> /dev/null
            COPY page /page
            CMD ["true"]
            """,
            "page": name,
        ]
    }

    private static let hanging = ["Dockerfile": "FROM docker.io/library/busybox:latest\nRUN echo begun; sleep 600\n"]

    @Test func whatIsWithinSizeAndAgeStays() async throws {
        try await withBuildHost { host in
            _ = try await host.build(Self.app("one"))
            let report = try await host.prune([:])
            #expect(!report.busy && report.removed == 0 && report.freed == 0)
            #expect((4 << 20..<5 << 20).contains(report.cacheBytes))
            let none = try await host.prune(["IMAGEBUILDER_CACHE_SIZE": "0", "IMAGEBUILDER_CACHE_AGE": "0"])
            #expect(none.removed == 0)
            let young = try await host.prune(["IMAGEBUILDER_CACHE_SIZE": "1k", "IMAGEBUILDER_CACHE_GRACE": "600"])
            #expect(young.removed == 0)
        }
    }

    @Test func theLeastRecentlyUsedGoesFirst() async throws {
        try await withBuildHost { host in
            _ = try await host.build(Self.app("one"))
            _ = try await host.build(Self.app("two"))
            let again = try await host.build(Self.app("one"))
            #expect(again.summary(of: "build") == "3/3 layers cached, 0 built")
            let report = try await host.prune(["IMAGEBUILDER_CACHE_SIZE": "6m"])
            #expect(report.removed > 0 && (4 << 20..<5 << 20).contains(report.freed))
            #expect((4 << 20..<5 << 20).contains(report.cacheBytes))
            #expect(try await host.build(Self.app("one")).summary(of: "build") == "3/3 layers cached, 0 built")
            #expect(try await host.build(Self.app("two")).summary(of: "build") == "0/3 layers cached, 3 built")
        }
    }

    @Test func layersOfAnotherBuildStay() async throws {
        try await withBuildHost { host in
            _ = try await host.build(Self.app("one"))
            let one = try await host.prune([:]).cacheBytes
            let changed = Self.app("one").merging(["page": "changed"]) { $1 }
            _ = try await host.build(changed)
            let report = try await host.prune(["IMAGEBUILDER_CACHE_SIZE": "\(one)"])
            #expect(report.removed == 2 && report.cacheBytes == one)
            #expect(try await host.build(changed).summary(of: "build") == "3/3 layers cached, 0 built")
        }
    }

    @Test func whatIsOldGoesAndTagsAndContainersStay() async throws {
        try await withBuildHost { host in
            _ = try await host.build(Self.app("one"))
            let dangling = ["images", "--quiet", "--no-trunc", "--filter", "dangling=true"]
            let image = try await CommandRunner.check(host.buildah(dangling))
            let container = try await CommandRunner.check(host.buildah(["from", "--pull=never", image.text])).text
            #expect(try await host.prune(["IMAGEBUILDER_CACHE_AGE": "0.001"]).removed == 0)
            try await CommandRunner.check(host.buildah(["rm", container]))
            let report = try await host.prune(["IMAGEBUILDER_CACHE_AGE": "0.001"])
            #expect(report.removed == 3 && report.cacheBytes == 0)
            let left = try await CommandRunner.check(host.buildah(["images", "--all", "--format", "{{.Name}}"])).text
            #expect(left == "docker.io/library/busybox")
            #expect(try await host.build(Self.app("one")).summary(of: "build") == "0/3 layers cached, 3 built")
        }
    }

    @Test func aRunningBuildIsLeftAlone() async throws {
        try await withBuildHost { host in
            _ = try await host.build(Self.app("one"))
            let request = try await host.request(Self.hanging)
            let build = try await host.build(request) { event in
                guard event.text == "begun" else { return }
                let report = try await host.prune(["IMAGEBUILDER_CACHE_SIZE": "3m"])
                #expect(report.busy && report.removed == 0)
                host.stop(request)
            }
            #expect(build.exit == .code(143))
            #expect(try await host.prune(["IMAGEBUILDER_CACHE_SIZE": "3m"]).removed > 0)
        }
    }

    /// Far past its size the cache is pruned between two builds, however close they follow each other.
    @Test func anUrgentPruneComesBeforeTheNextBuild() async throws {
        try await withBuildHost { host in
            _ = try await host.build(Self.app("one"))
            let request = try await host.request(Self.hanging)
            let (begun, continuation) = AsyncStream<Void>.makeStream()
            async let running = host.build(request) { if $0.text == "begun" { continuation.finish() } }
            for await _ in begun {}
            async let pruned = host.prune(["IMAGEBUILDER_CACHE_SIZE": "1k"])
            try await eventually("the prune waits") { host.isGateHeld }
            async let next = host.build(Self.app("two"))
            host.stop(request)
            #expect(try await running.exit == .code(143))
            let report = try await pruned
            #expect(!report.busy && report.removed > 0)
            #expect(try await next.exit == .code(0))
        }
    }
}

extension BuildHost {
    /// Ends the imagebuilder of a request as the builder does.
    fileprivate func stop(_ request: BuildRequest) {
        for process in processes(below: request.workFolder)
        where process.arguments.first?.hasSuffix("/imagebuilder") == true {
            process.send(signal: SIGTERM)
        }
    }

    /// Whether somebody keeps new builds out.
    fileprivate var isGateHeld: Bool {
        let descriptor = open(storageFolder + "/builds.gate", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0
    }
}
