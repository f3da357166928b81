package import Hummingbird
package import HummingbirdCore
package import Logging
import NIOCore
import ServiceLifecycle

/// A Hummingbird server as a named part of a process.
package struct HTTPService<Responder: HTTPResponder>: Service
where Responder.Context: InitializableFromSource<ApplicationRequestContextSource> {
    private let application: Application<Responder>

    /// - Parameters:
    ///   - responder: answers the requests.
    ///   - server: how connections are handled; plain HTTP/1.1 unless given.
    ///   - onRunning: called with the bound port once the socket listens.
    package init(
        responder: Responder,
        listen: ListenAddress,
        server: HTTPServerBuilder = .plain(),
        logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        application = Application(
            responder: responder,
            server: server,
            configuration: .init(address: listen.bindAddress, serverName: nil, backlog: 1024),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? listen.port
                logger.notice("Listening", metadata: ["address": "\(listen.host):\(port)"])
                await onRunning(port)
            },
            logger: logger)
    }

    /// Lets a router answer the requests.
    package init<Context>(
        router: Router<Context>,
        listen: ListenAddress,
        server: HTTPServerBuilder = .plain(),
        logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) where Responder == RouterResponder<Context> {
        self.init(
            responder: router.buildResponder(), listen: listen, server: server, logger: logger, onRunning: onRunning)
    }

    package func run() async throws { try await application.run() }
}
