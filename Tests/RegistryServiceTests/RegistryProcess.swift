import CommandRunner
import CurlTransfer
import Foundation
import HTTPTypes
import OCIRegistry
import TestSupport

/// The shipped executable on a free port.
final class RegistryProcess: Sendable {
    let address: String
    let process: ProcessIdentity
    private let client: HTTPClient

    /// Starts the registry over `root` and waits until it is ready.
    init(
        root: String, port: Int, settings: [String: String] = [:], tls: TLSOptions? = nil
    ) async throws {
        address = "127.0.0.1:\(port)"
        client = try HTTPClient()
        let program = Process()
        program.executableURL = try Self.executable()
        var environment = [
            "PATH": Command.minimalPath, "REGISTRY_LISTEN": address, "REGISTRY_STORAGE": "file://\(root)/store",
            "REGISTRY_AUTH": "none",
        ]
        environment.merge(settings) { _, given in given }
        program.environment = environment
        let log = "\(root)/registry.log"
        try Data().write(to: URL(filePath: log))
        program.standardError = FileHandle(forWritingAtPath: log)
        try program.run()
        guard let identity = ProcessIdentity(pid: program.processIdentifier) else { throw DidNotStart(log: log) }
        process = identity
        do {
            try await eventually("the registry is ready") {
                try await client.send(
                    TransferRequest(
                        url: "http\(tls == nil ? "" : "s")://\(address)/readiness", tls: tls ?? TLSOptions())
                ).status == 200
            }
        } catch {
            let state = program.isRunning ? "it runs" : "it ended with \(program.terminationStatus)"
            let words = try String(contentsOfFile: log, encoding: .utf8)
            throw DidNotStart(log: "\(error); \(state); its log: \(words)")
        }
    }

    deinit { _ = process.send(signal: SIGKILL) }

    /// Ends the process as a power loss of the process would.
    func kill() async throws {
        _ = process.send(signal: SIGKILL)
        try await process.waitForExit()
    }

    /// Asks the process to end and waits for it.
    func stop() async throws {
        try await process.stop(patience: .seconds(10))
    }

    func send(_ request: TransferRequest) async throws -> TransferResponse {
        try await client.send(request, limit: 256 << 20)
    }

    /// Pushes a blob by a single request.
    func push(_ content: String, to name: String) async throws -> ImageDigest {
        let digest = ImageDigest(of: Array(content.utf8))
        let pushed = try await send(
            TransferRequest(
                method: .post, url: "http://\(address)/v2/\(name)/blobs/uploads/?digest=\(digest)",
                body: .bytes(Array(content.utf8))))
        guard pushed.status == 201 else { throw WasNotPushed(answer: pushed.text) }
        return digest
    }

    /// The built program lies beside the test bundle's own executable.
    static func executable() throws -> URL {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var folder = URL(filePath: own).deletingLastPathComponent()
        while folder.path != "/" {
            let candidate = folder.appending(path: "registry")
            if FileManager.default.isExecutableFile(atPath: candidate.path) { return candidate }
            folder = folder.deletingLastPathComponent()
        }
        throw DidNotStart(log: "no registry beside \(own)")
    }

    struct WasNotPushed: Error {
        let answer: String
    }

    struct DidNotStart: Error {
        let log: String
    }
}
