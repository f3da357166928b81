package import Hummingbird
package import HummingbirdCore
package import Logging
import NIOCore
import ServiceLifecycle

/// A Hummingbird server as a named part of a process.
package struct HTTPService<Context: RequestContext>: Service
where Context: InitializableFromSource<ApplicationRequestContextSource> {
    private let application: Application<RouterResponder<Context>>

    /// - Parameters:
    ///   - server: how connections are handled; plain HTTP/1.1 unless given.
    ///   - onRunning: called with the bound port once the socket listens.
    package init(
        router: Router<Context>,
        listen: ListenAddress,
        server: HTTPServerBuilder = .plain(),
        logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        application = Application(
            responder: router.buildResponder(),
            server: server,
            configuration: .init(address: listen.bindAddress, serverName: nil, backlog: 1024),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? listen.port
                logger.notice("Listening", metadata: ["address": "\(listen.host):\(port)"])
                await onRunning(port)
            },
            logger: logger)
    }

    package func run() async throws { try await application.run() }
}
