import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceHTTP

/// Runs a Hummingbird server on a free loopback port, or on a unix socket, for as long as `body` runs.
func withServer<Result: Sendable>(
    unixSocket: String? = nil,
    routes: (Router<BasicRequestContext>) -> Void,
    _ body: @escaping @Sendable (String) async throws -> Result
) async throws -> Result {
    let router = Router()
    routes(router)
    let (ports, portContinuation) = AsyncStream.makeStream(of: Int.self)
    var logger = Logger(label: "loopback-server")
    logger.logLevel = .critical
    let address: BindAddress =
        unixSocket.map { .unixDomainSocket(path: $0) } ?? .hostname("127.0.0.1", port: 0)
    let application = Application(
        router: router,
        server: .plain(),
        configuration: .init(address: address),
        onServerRunning: { portContinuation.yield($0.localAddress?.port ?? 0) },
        logger: logger)
    return try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask {
            try await application.run()
            return nil
        }
        group.addTask {
            for await port in ports {
                return try await body(unixSocket == nil ? "http://127.0.0.1:\(port)" : "http://unix")
            }
            return nil
        }
        defer { group.cancelAll() }
        while let result = try await group.next() {
            if let result { return result }
        }
        throw CancellationError()
    }
}
