import AccessTokens
package import CommandRunner
import CurlTransfer
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import OpenSSLCrypto
import PlatformModel
import ServiceHTTP
import Subprocess
import SystemPackage
import TestSupport

/// The shipped registry on a port of its own, with a token server that grants ``BuildHost/password`` the right to
/// push to
/// and pull from `shop1/shop1`, and nothing else to anyone.
package struct RegistryServer: Sendable {
    package let address: String
    package let process: ProcessIdentity?

    /// A file with the credential of builds, for stock clients.
    package let credentials: String

    static let gone = RegistryServer(address: "", process: nil, credentials: "")

    /// The digest a stock client sees behind a tag or digest of `shop1/shop1`.
    package func manifest(_ reference: String) async throws -> [UInt8] {
        try await CommandRunner.check(
            Command(
                "skopeo",
                ["inspect", "--raw", "--tls-verify=false", "--authfile", credentials]
                    + ["docker://\(address)/shop1/shop1\(reference)"])
        ).standardOutput
    }
}

/// The built program of that name, which lies beside the test bundle's own executable.
package func builtProgram(_ name: String) throws -> String {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    var folder = URL(filePath: own).deletingLastPathComponent()
    while folder.path != "/" {
        let candidate = folder.appending(path: name)
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: candidate.path, isDirectory: &isFolder)
        if exists, !isFolder.boolValue, FileManager.default.isExecutableFile(atPath: candidate.path) {
            return candidate.path
        }
        folder = folder.deletingLastPathComponent()
    }
    throw NotBuilt(name: name)
}

/// A program is missing beside the tests.
package struct NotBuilt: Error {
    package let name: String
}

func withRegistryServer(
    in directory: String, _ body: @escaping @Sendable (RegistryServer) async throws -> Void
) async throws {
    let key = try KeyPair.generate(.es256)
    try Data(key.publicKey.pem.utf8).write(to: URL(filePath: "\(directory)/keys.pem"))
    let issuer = try await RegistryTokenIssuer(privateKeyPEM: Secret(try key.privatePEM()))
    let (ports, continuation) = AsyncStream<Int>.makeStream()
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            var logger = Logger(label: "token-server")
            logger.logLevel = .critical
            try await HTTPService(
                router: tokenRouter(issuer), listen: ListenAddress(host: "127.0.0.1", port: 0), logger: logger,
                onRunning: { continuation.yield($0) }
            ).run()
        }
        for await port in ports {
            try await withRegistry(in: directory, tokenPort: port, body)
            break
        }
        group.cancelAll()
    }
}

private func withRegistry(
    in directory: String, tokenPort: Int, _ body: @escaping @Sendable (RegistryServer) async throws -> Void
) async throws {
    let address = "127.0.0.1:\(try freePort())"
    let variables = [
        "PATH": Command.minimalPath, "REGISTRY_LISTEN": address, "REGISTRY_STORAGE": "file://\(directory)/registry",
        "REGISTRY_AUTH": "token", "REGISTRY_TOKEN_REALM": "http://127.0.0.1:\(tokenPort)/token",
        "REGISTRY_TOKEN_KEYS": "\(directory)/keys.pem", "REGISTRY_FSYNC": "false", "LOG_LEVEL": "error",
    ]
    let values = Dictionary(
        uniqueKeysWithValues: variables.map { (Subprocess.Environment.Key(stringLiteral: $0.key), $0.value) })
    let outcome = try await run(
        .path(FilePath(try builtProgram("registry"))), environment: .custom(values), input: .none, output: .discarded,
        error: .discarded
    ) { execution in
        let result: Result<Void, any Error>
        do {
            let client = try HTTPClient()
            try await eventually("the registry is ready") {
                try await client.send(TransferRequest(url: "http://\(address)/readiness")).status == 200
            }
            let process = ProcessIdentity(pid: execution.processIdentifier.value)
            let pair = Data("grant:\(BuildHost.password)".utf8).base64EncodedString()
            let credentials = "\(directory)/auth.json"
            try Data(#"{"auths":{"\#(address)":{"auth":"\#(pair)"}}}"#.utf8).write(to: URL(filePath: credentials))
            try await body(RegistryServer(address: address, process: process, credentials: credentials))
            result = .success(())
        } catch {
            result = .failure(error)
        }
        try execution.send(signal: .kill)
        return result
    }
    try outcome.closureResult.get()
}

private func tokenRouter(_ issuer: RegistryTokenIssuer) -> Router<BasicRequestContext> {
    let router = Router()
    router.get("/token") { request, _ in
        let header = request.headers[.authorization]?.dropFirst("Basic ".count) ?? ""
        let pair = Data(base64Encoded: String(header)).map { String(decoding: $0, as: UTF8.self) }
        guard pair == "grant:\(BuildHost.password)" else {
            return Response(status: .unauthorized, body: .init(byteBuffer: ByteBuffer(string: "{}")))
        }
        let wanted = request.uri.queryParameters[values: "scope"].compactMap { RegistryAccess(scope: String($0)) }
        let token = try issuer.token(
            subject: "grant", service: "workflow-registry",
            access: RegistryAccess.intersection(
                wanted, with: [RegistryAccess(name: "shop1/shop1", actions: ["pull", "push"])]))
        let reply = ByteBuffer(string: "{\"token\":\"\(token.token.reveal())\",\"expires_in\":300}")
        return Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: reply))
    }
    return router
}
