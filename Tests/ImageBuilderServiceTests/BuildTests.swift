import BuildTestSupport
import CommandRunner
import FoundationEssentials
import Glibc
import OpenSSLCrypto
import PlatformModel
import TestSupport
import Testing

/// The shipped imagebuilder with real buildah and skopeo, pushing to the shipped registry.
@Suite(
    .enabled(if: TestEnvironment.isRequired || BuildHost.isPossible, "buildah and skopeo are not installed"),
    .timeLimit(.minutes(5)))
struct BuildTests {
    private static let app = [
        "Dockerfile": """
        FROM docker.io/library/busybox:latest
        RUN echo compiling && echo compiled > /compiled
        COPY page.txt /page.txt
        EXPOSE 9090/udp 8080
        CMD ["cat", "/page.txt"]
        """,
        "page.txt": "one\n",
        "Procfile": "web: cat /page.txt\nworker: sleep 5\n",
    ]

    @Test func theDigestReportedIsTheOneTheRegistryServes() async throws {
        try await withBuildHost { host in
            let build = try await host.build(Self.app)
            #expect(build.exit == .code(0), "\(build.log)")
            let result = try #require(build.result, "\(build.events)")
            #expect(result.port == 8080)
            #expect(result.procfile == ["web": "cat /page.txt", "worker": "sleep 5"])
            #expect(result.dockerfile == Self.app["Dockerfile"])
            let digest = try #require(result.digest)
            #expect(result.image == "\(host.repository)@\(digest)")
            for reference in [":git-8f3c2a1b", "@\(digest)"] {
                let manifest = try await host.registry.manifest(reference)
                let hash = SHA256Digest()
                hash.update(manifest)
                #expect("sha256:" + hash.hexDigest() == digest)
                struct Manifest: Decodable {
                    struct Layer: Decodable { let size: Int }
                    let layers: [Layer]
                }
                let layers = try JSONDecoder().decode(Manifest.self, from: Data(manifest)).layers
                #expect(layers.reduce(0) { $0 + $1.size } == result.size)
            }
            #expect(build.events.compactMap { $0.event == "phase" ? $0.phase : nil } == ["detect", "build", "image"])
            #expect(build.summary(of: "detect") == "Dockerfile, port 8080 from EXPOSE")
            #expect(build.lines.contains("STEP 2/5: RUN echo compiling && echo compiled > /compiled"))
            #expect(build.lines.contains("compiling"))
            let leftovers = try await host.leftovers()
            #expect(leftovers == [])
        }
    }

    @Test func theSecondBuildTakesItsLayersFromTheCache() async throws {
        try await withBuildHost { host in
            let first = try await host.build(Self.app)
            #expect(first.summary(of: "build") == "0/4 layers cached, 4 built")
            let same = try await host.build(Self.app)
            #expect(same.summary(of: "build") == "4/4 layers cached, 0 built")
            #expect(same.result?.digest == first.result?.digest)
            #expect(!same.lines.contains("compiling"))
            let changed = try await host.build(Self.app.merging(["page.txt": "two\n"]) { $1 })
            #expect(changed.summary(of: "build") == "1/4 layers cached, 3 built")
            #expect(changed.result?.digest != first.result?.digest)
        }
    }

    /// The step never ends by itself: its line can only have been seen while it ran.
    @Test func linesComeWhileTheStepRunsAndAStoppedBuildLeavesNothing() async throws {
        try await withBuildHost { host in
            let request = try await host.request([
                "Dockerfile": "FROM docker.io/library/busybox:latest\nRUN echo first; sleep 600\n"
            ])
            let build = try await host.build(request) { event in
                guard event.text == "first" else { return }
                let process = host.processes(below: request.workFolder).first { process in
                    process.arguments.first?.hasSuffix("/imagebuilder") == true
                }
                try #require(process).send(signal: SIGTERM)
            }
            #expect(build.exit == .code(143))
            #expect(build.lines.contains("first"))
            #expect(build.result == nil && build.failure == nil)
            let leftovers = try await host.leftovers()
            #expect(leftovers == [])
        }
    }

    @Test func theTimeLimitIsNamed() async throws {
        try await withBuildHost { host in
            var request = try await host.request([
                "Dockerfile": "FROM docker.io/library/busybox:latest\nRUN sleep 600\n"
            ])
            request.timeoutSeconds = 4
            let build = try await host.build(request)
            #expect(build.exit == .code(1))
            #expect(build.failure?.reason == "The build took longer than 4 seconds and was stopped.")
            #expect(build.failure?.hint?.isEmpty == false)
            let leftovers = try await host.leftovers()
            #expect(leftovers == [])
        }
    }

    @Test(arguments: [
        "RUN dd if=/dev/zero of=/dev/null bs=200M count=1",
        "RUN echo x; dd if=/dev/zero of=/dev/null bs=200M; echo $?; false || exit 137",
    ])
    func theMemoryLimitIsNamed(step: String) async throws {
        try await withBuildHost { host in
            var request = try await host.request(["Dockerfile": "FROM docker.io/library/busybox:latest\n\(step)\n"])
            request.variables = ["IMAGEBUILDER_MEMORY": "32m"]
            let build = try await host.build(request)
            #expect(build.exit == .code(1))
            let reason = try #require(build.failure?.reason)
            #expect(reason.hasPrefix("Dockerfile line 2: RUN "))
            #expect(reason.hasSuffix(" was killed: a build step may use 32m of memory, and it needed more."))
            let leftovers = try await host.leftovers()
            #expect(leftovers == [])
        }
    }

    @Test func outputIsMadePlain() async throws {
        try await withBuildHost { host in
            let step =
                #"RUN printf 'red \033[31mtext\033[0m\n'; printf 'bad \377 byte\n'; "#
                + #"printf '10%%\r90%%\n'; seq -s , 1 20000"#
            let build = try await host.build(["Dockerfile": "FROM docker.io/library/busybox:latest\n\(step)\n"])
            #expect(build.exit == .code(0), "\(build.log)")
            #expect(build.lines.contains("red text"))
            #expect(build.lines.contains("bad \u{FFFD} byte"))
            #expect(build.lines.contains("90%"))
            #expect(build.lines.allSatisfy { $0.count <= 4096 })
        }
    }

    @Test func severalImagesComeOutOfOnePush() async throws {
        try await withBuildHost { host in
            let build = try await host.build([
                "Dockerfile": "FROM docker.io/library/busybox:latest\nCMD [\"true\"]\n",
                "docker/worker": "FROM docker.io/library/busybox:latest\nARG NAME\nRUN echo \"$NAME\" > /name\n",
                ".drycc/worker.yml": """
                kind: pipeline
                ptype: worker
                build: {docker: docker/worker, arg: {NAME: two words}}
                run: {command: ["true"]}
                deploy: {command: [sleep, "5"]}
                """,
            ])
            #expect(build.exit == .code(0), "\(build.events)")
            let main = try await host.registry.manifest(":git-8f3c2a1b")
            let worker = try await host.registry.manifest(":git-8f3c2a1b-worker")
            #expect(main != worker)
            let hash = SHA256Digest()
            hash.update(worker)
            let pipeline = build.result?.dryccfile?["pipeline"]?["worker.yml"]
            #expect(pipeline?["deploy"]?["image"]?.stringValue == "\(host.repository)@sha256:\(hash.hexDigest())")
            #expect(pipeline?["run"]?["image"] == pipeline?["deploy"]?["image"])
            #expect(pipeline?["deploy"]?["command"]?.arrayValue?.count == 2)
        }
    }

    @Test func aTextTooLongForAnEventIsCut() async throws {
        try await withBuildHost { host in
            let comment = String(repeating: "# \"quoted\" text\n", count: 8000)
            let build = try await host.build([
                "Dockerfile": "FROM docker.io/library/busybox:latest\n\(comment)CMD [\"true\"]\n"
            ])
            #expect(build.exit == .code(0), "\(build.log)")
            #expect(build.result?.dockerfile?.hasSuffix("# The rest of this file is not shown.\n") == true)
        }
    }
}
