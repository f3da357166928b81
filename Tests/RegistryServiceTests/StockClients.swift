import CommandRunner
import Foundation
import TestSupport

/// podman, buildah, skopeo and clients from PyPI, with storage of their own below one folder.
struct StockClients: Sendable {
    let folder: String

    /// Whether podman, buildah and skopeo are installed, or must be.
    static var arePresent: Bool {
        TestEnvironment.isRequired || FileManager.default.isExecutableFile(atPath: "/usr/bin/buildah")
    }

    /// Where `scripts/test-clients` has put the clients from PyPI.
    static var packages: String? { ProcessInfo.processInfo.environment["WORKFLOW_TEST_CLIENTS"] }

    @discardableResult
    func run(_ program: String, _ arguments: String...) async throws -> String {
        var all = arguments
        if program != "skopeo" {
            all =
                ["--root", "\(folder)/containers", "--runroot", "\(folder)/run", "--storage-driver", "vfs"]
                + arguments
        }
        return try await check("/usr/bin/\(program)", all)
    }

    /// Runs a Python program that may import the clients from PyPI.
    func python(_ program: String, _ arguments: String...) async throws -> String {
        let packages = try TestEnvironment.required(Self.packages, "WORKFLOW_TEST_CLIENTS")
        return try await check("\(packages)/python", ["-c", program] + arguments)
    }

    private func check(_ path: String, _ arguments: [String]) async throws -> String {
        let environment = [
            "HOME": folder, "XDG_RUNTIME_DIR": folder, "TMPDIR": folder, "PYTHONDONTWRITEBYTECODE": "1",
        ]
        let result = try await CommandRunner.check(
            Command(
                path, arguments, environment: environment, workingDirectory: folder, deadline: .seconds(60)))
        return result.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Makes an image of one layer without any base.
    func makeImage(_ name: String, content: String, architecture: String = "amd64") async throws {
        let file = "\(folder)/content"
        try Data(content.utf8).write(to: URL(filePath: file))
        let container = try await run("buildah", "from", "--arch", architecture, "scratch")
        try await run("buildah", "copy", "-q", container, file, "/content")
        try await run("buildah", "config", "--arch", architecture, container)
        try await run("buildah", "commit", "-q", container, name)
        try await run("buildah", "rm", container)
    }

    /// The digest a reference leads to.
    func digest(_ reference: String) async throws -> String {
        try await run("skopeo", "inspect", "--tls-verify=false", "--format", "{{.Digest}}", reference)
    }

    /// The document a reference leads to, as it is.
    func raw(_ reference: String) async throws -> String {
        try await run("skopeo", "inspect", "--raw", "--tls-verify=false", reference)
    }
}
