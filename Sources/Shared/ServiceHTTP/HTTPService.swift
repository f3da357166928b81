package import Hummingbird
package import HummingbirdCore
package import Logging
import NIOPosix
import ServiceLifecycle

/// A Hummingbird server as a named part of a process.
package struct HTTPService<Responder: HTTPResponder>: Service
where Responder.Context: InitializableFromSource<ApplicationRequestContextSource> {
    private let application: Application<Responder>
    private let acceptsOnEventLoop: Bool

    /// - Parameters:
    ///   - responder: answers the requests.
    ///   - server: how connections are handled; plain HTTP/1.1 unless given.
    ///   - acceptsOnEventLoop: whether accepted connections are handed over on an event loop, for a server that handles
    ///     them there; otherwise on the shared pool, whose threads have to be woken for each.
    ///   - onRunning: called with the bound port once the socket listens.
    package init(
        responder: Responder,
        listen: ListenAddress,
        server: HTTPServerBuilder = .plain(),
        acceptsOnEventLoop: Bool = false,
        logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void = { _ in }
    ) {
        self.acceptsOnEventLoop = acceptsOnEventLoop
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

    package func run() async throws {
        guard acceptsOnEventLoop else { return try await application.run() }
        try await withTaskExecutorPreference(EventLoopExecutor(MultiThreadedEventLoopGroup.singleton.next())) {
            try await application.run()
        }
    }
}
