import BuildTestSupport
import CommandRunner
import FoundationEssentials
import TestSupport
import Testing

/// What a pusher did wrong is named by file, line and reason.
@Suite(
    .enabled(if: TestEnvironment.isRequired || BuildHost.isPossible, "buildah and skopeo are not installed"),
    .timeLimit(.minutes(5)))
struct BadSourceTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let files: [String: String]
        let phase: String
        let reason: String

        var testDescription: String { name }

        init(_ name: String, _ files: [String: String], _ phase: String, _ reason: String) {
            self.name = name
            self.files = files
            self.phase = phase
            self.reason = reason
        }

        static func dockerfile(_ name: String, _ lines: [String], _ reason: String) -> Case {
            Case(name, ["Dockerfile": lines.joined(separator: "\n") + "\n"], "build", reason)
        }
    }

    private static let from = "FROM docker.io/library/busybox:latest"

    static let cases = [
        Case.dockerfile(
            "a failing command", [from, "# comment", "RUN echo one \\", "    && sh -c 'exit 7'"],
            "Dockerfile line 3: RUN echo one && sh -c 'exit 7' ended with status 7."),
        Case.dockerfile(
            "a misspelt instruction", [from, "", "RUNN echo one"],
            "Dockerfile line 3: RUNN echo one is not an instruction Dockerfiles have."),
        Case.dockerfile(
            "a missing file", [from, "COPY missing.txt /"],
            "Dockerfile line 2: COPY missing.txt / names a file that is not in the pushed source."),
        Case.dockerfile(
            "a later stage", ["\(from) AS first", "RUN true", "", from, "RUN sh -c 'exit 9'"],
            "Dockerfile line 5: RUN sh -c 'exit 9' ended with status 9."),
        Case.dockerfile(
            "a base image that cannot be had", ["FROM 127.0.0.1:1/no/such:1", "RUN true"],
            "Dockerfile line 1: the base image 127.0.0.1:1/no/such:1 cannot be pulled."),
        Case(
            "an empty Dockerfile", ["Dockerfile": ""], "detect",
            "The source has no Dockerfile at its top (or an empty one)"),
        Case("only comments", ["Dockerfile": "# nothing\n"], "build", "Dockerfile"),
        Case("no Dockerfile", ["main.py": "print(1)\n"], "detect", "The source has no Dockerfile at its top"),
        Case(
            "a bad Procfile", ["Dockerfile": "\(from)\n", "Procfile": "web: run\nWEB_2: run\n"], "detect",
            "The Procfile names the process type WEB_2:"),
        Case(
            "a bad build argument", ["Dockerfile": "\(from)\n", ".build-arg": "NAME\n"], "detect",
            "The line 'NAME' of .build-arg is not KEY=VALUE."),
        Case(
            "an unknown member of a pipeline",
            ["Dockerfile": "\(from)\n", ".drycc/web.yml": "kind: pipeline\nptype: web\ndeploy: {}\nreplicas: 3\n"],
            "detect",
            "The file .drycc/web.yml has the unknown member replicas."),
        Case(
            "a pipeline that is no YAML", ["Dockerfile": "\(from)\n", ".drycc/web.yml": "kind: [\n"], "detect",
            "The file .drycc/web.yml is not valid YAML"),
        Case(
            "a config line without value", ["Dockerfile": "\(from)\n", ".drycc/config/mail": "MODE\n"], "detect",
            "'MODE' in .drycc/config/mail does not match the pattern 'key=var', ex: MODE=test"),
        Case(
            "a pipeline whose Dockerfile is missing",
            [
                "Dockerfile": "\(from)\n",
                ".drycc/web.yml": "kind: pipeline\nptype: web\nbuild: {docker: no/such}\ndeploy: {}\n",
            ],
            "detect", "The source has no file no/such."),
    ]

    @Test(arguments: cases)
    func isNamed(_ sample: Case) async throws {
        try await withBuildHost { host in
            let build = try await host.build(sample.files)
            #expect(build.exit == .code(1), "\(build.log)")
            let failure = try #require(build.failure, "\(build.events)")
            #expect(failure.phase == sample.phase)
            #expect(failure.reason?.hasPrefix(sample.reason) == true, "\(failure.reason ?? "")")
            let leftovers = try await host.leftovers()
            #expect(leftovers == [])
        }
    }

    /// The imagebuilder may read what no pusher may: a link in the source must not carry any of it into a build's
    /// record.
    @Test(arguments: [
        "Dockerfile", "Procfile", ".build-arg", ".drycc/config/global", ".drycc/web.yml", ".drycc", ".drycc/config",
    ])
    func linksOutOfTheSourceAreNotFollowed(name: String) async throws {
        try await withBuildHost { host in
            let secret = host.directory + "/secret"
            if name == ".drycc" || name == ".drycc/config" {
                try FileManager.default.createDirectory(atPath: secret, withIntermediateDirectories: true)
                try Data("PASSWORD=hunter2\n".utf8).write(to: URL(filePath: secret + "/global"))
            } else {
                try Data("PASSWORD=hunter2\n".utf8).write(to: URL(filePath: secret))
            }
            for target in [secret, "../../../secret", "../../../../secret"] {
                var files = ["Dockerfile": "\(Self.from)\n"]
                files[name] = "-> \(target)"
                let build = try await host.build(files)
                #expect(!"\(build.events)".contains("hunter2"))
                // A link that leads nowhere is as good as no file.
                guard target == secret else { continue }
                #expect(build.failure?.reason?.contains("lies outside of the source") == true)
            }
        }
    }

    @Test func aDockerfileOfAPipelineStaysInTheSource() async throws {
        try await withBuildHost { host in
            let build = try await host.build([
                "Dockerfile": "\(Self.from)\n",
                ".drycc/web.yml":
                    "kind: pipeline\nptype: web\nbuild: {docker: ../../../containers/containers.conf}\ndeploy: {}\n",
            ])
            #expect(build.failure?.reason?.contains("lies outside of the source") == true, "\(build.events)")
        }
    }
}
