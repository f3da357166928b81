package import Hummingbird
package import HummingbirdCore
import Logging
import ServiceHTTP
import ServiceLifecycle

/// Runs `body` beside an HTTP server on loopback, with the server's port, or on a unix socket.
///
/// Its end is a graceful shutdown, as that of a real one.
package func withTestServer(
    _ router: Router<BasicRequestContext>, server builder: HTTPServerBuilder = .plain(), unixSocket: String? = nil,
    _ body: @escaping @Sendable (Int) async throws -> Void
) async throws {
    let (ports, continuation) = AsyncStream<Int>.makeStream()
    let logger = Logger(label: "test-server") { _ in SwiftLogNoOpLogHandler() }
    let address = unixSocket.map { BindAddress.unixDomainSocket(path: $0) } ?? .hostname("127.0.0.1", port: 0)
    let application = Application(
        router: router, server: builder, configuration: .init(address: address),
        onServerRunning: { channel in continuation.yield(channel.localAddress?.port ?? 0) }, logger: logger)
    var configuration = ServiceGroupConfiguration(services: [application], gracefulShutdownSignals: [], logger: logger)
    // Answers that never end by themselves are cut off then.
    configuration.maximumGracefulShutdownDuration = .seconds(5)
    let server = ServiceGroup(configuration: configuration)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            defer { continuation.finish() }
            try await server.run()
        }
        let result: Result<Void, any Error>
        do {
            for await port in ports {
                try await body(port)
                break
            }
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await server.triggerGracefulShutdown()
        try await group.waitForAll()
        try result.get()
    }
}
