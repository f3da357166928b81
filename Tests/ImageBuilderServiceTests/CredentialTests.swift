import BuildTestSupport
import CommandRunner
import Foundation
import Synchronization
import TestSupport
import Testing

/// Credentials reach the registry and nobody else; a peer that is away or refuses is named.
@Suite(
    .enabled(if: TestEnvironment.isRequired || BuildHost.isPossible, "buildah and skopeo are not installed"),
    .timeLimit(.minutes(5)))
struct CredentialTests {
    private static let from = "FROM docker.io/library/busybox:latest"

    /// Looks at every process of the machine while the build runs, and into everything the build made afterwards.
    @Test func noSecretIsAnArgumentOrPartOfTheImage() async throws {
        try await withBuildHost { host in
            var request = try await host.request([
                "Dockerfile":
                    "\(Self.from)\nARG MODE\nRUN echo \"mode $MODE\"; env; ls / /tmp /run 2>&1; echo looked; cat /go\n",
                "page.txt": "x",
            ])
            request.buildEnvironment = ["MODE": "test", "DATABASE_URL": "postgresql://value-of-a-config-4712"]
            request.timeoutSeconds = 100
            let secrets = [
                BuildHost.password, "value-of-a-config-4712",
                Data("grant:\(BuildHost.password)".utf8).base64EncodedString(),
            ]
            let arguments = Box()
            let builders = Box()
            let looking = Task {
                repeat {
                    let processes = ProcessIdentity.all().map(\.arguments)
                    arguments.add(processes.flatMap(\.self).filter { $0.contains(secrets) })
                    builders.add(processes.compactMap(\.first).filter { $0.hasSuffix("buildah") })
                    // The sleep fails when the looking is ended.
                } while (try? await Task.sleep(for: .milliseconds(5))) != nil
            }
            let build = try await host.build(request)
            looking.cancel()
            await looking.value
            #expect(!builders.values.isEmpty)
            // The step fails at its end: what it printed has been seen whole.
            #expect(build.lines.contains("mode test"), "\(build.events)")
            #expect(arguments.values == [])
            #expect(!"\(build.events)\(build.log)".contains(secrets))
            let good = try await host.build(["Dockerfile": "\(Self.from)\nCOPY . /app\nRUN ls /app\n", "page.txt": "x"])
            #expect(good.exit == .code(0), "\(good.events)")
            let copy = host.directory + "/copy"
            try await CommandRunner.check(
                Command(
                    "skopeo",
                    ["copy", "--quiet", "--src-tls-verify=false", "--src-authfile", host.registry.credentials]
                        + ["docker://\(host.repository):git-8f3c2a1b", "dir:\(copy)"]))
            for name in try FileManager.default.contentsOfDirectory(atPath: copy) {
                let text = try await CommandRunner.run(
                    Command(
                        "sh", ["-c", "zcat -f -- \"$1\" | tr -d '\\0'", "sh", "\(copy)/\(name)"], outputLimit: 64 << 20)
                ).text
                #expect(!text.contains(secrets), "\(name)")
            }
            #expect(good.lines.contains("page.txt"))
            #expect(!good.lines.contains("auth.json"))
        }
    }

    @Test func aRefusedCredentialIsNamed() async throws {
        try await withBuildHost { host in
            var request = try await host.request(["Dockerfile": "\(Self.from)\nRUN true\n"])
            request.password = "expired"
            let build = try await host.build(request)
            #expect(build.exit == .code(1), "\(build.log)")
            #expect(build.failure?.phase == "image")
            #expect(build.failure?.reason?.hasPrefix("The registry refused the image:") == true)
            #expect(build.failure?.reason?.contains("expired") == false)
        }
    }

    @Test func aRegistryThatIsAwayMeansLater() async throws {
        try await withBuildHost { host in
            let request = try await host.request(["Dockerfile": "\(Self.from)\nRUN true\n"])
            host.registry.process?.send(signal: SIGKILL)
            let build = try await host.build(request)
            #expect(build.exit == .code(75), "\(build.events)")
            #expect(build.failure == nil && build.result == nil)
            let leftovers = try await host.leftovers()
            #expect(leftovers == [])
        }
    }

    @Test func aBundleThatIsNotWhatWasPushedIsRefused() async throws {
        try await withBuildHost { host in
            var request = try await host.request(["Dockerfile": "\(Self.from)\n"])
            request.source = BuildHost.Source(
                key: request.source.key, digest: "sha256:" + String(repeating: "0", count: 64))
            let changed = try await host.build(request)
            #expect(changed.failure?.reason?.contains("is not what was pushed") == true)
            request.workFolder = try host.makeWorkFolder()
            request.source = BuildHost.Source(key: "sources/shop1/none.tar", digest: request.source.digest)
            let missing = try await host.build(request)
            #expect(missing.failure?.reason == "The source bundle of this build is no longer in storage.")
        }
    }

    @Test(arguments: ["", "{}", "not JSON", "[1]", #"{"app":"../shop"}"#])
    func aJobThatCannotBeReadIsNamedInOneLine(text: String) async throws {
        let result = try await CommandRunner.run(
            Command(try builtProgram("imagebuilder"), [], standardInput: Array(text.utf8), deadline: .seconds(30)))
        #expect(result.exit == .code(2))
        #expect(result.standardOutput == [])
        #expect(result.errorText.split(separator: "\n").count == 1, "\(result.errorText)")
    }

    @Test func wrongSettingsAreNamedAllAtOnce() async throws {
        let variables = ["IMAGEBUILDER_MEMORY": "much", "IMAGEBUILDER_CPUS": "0", "IMAGEBUILDER_NETWORK": "host"]
        let result = try await CommandRunner.run(
            Command(try builtProgram("imagebuilder"), [], environment: variables, deadline: .seconds(30)))
        #expect(result.exit == .code(2))
        for name in variables.keys { #expect(result.errorText.contains(name)) }
    }
}

/// Values gathered by concurrent closures.
private final class Box: Sendable {
    private let state = Mutex<[String]>([])

    var values: [String] { state.withLock { $0 } }

    func add(_ more: [String]) { state.withLock { $0 += more } }
}

extension String {
    fileprivate func contains(_ texts: [String]) -> Bool { texts.contains { contains($0) } }
}
