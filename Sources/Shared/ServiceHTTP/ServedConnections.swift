package import HummingbirdCore
package import Logging
package import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1
import Synchronization

/// Serves every connection that was accepted, also one the server itself lets fall, and ends it when its client expects
/// that.
///
/// A server that ends while a connection is being accepted drops it, and NIO traps when such a connection was never
/// read from (swift-nio issue 3481). Here the dropped one is served all the same and sees the end of the server.
package struct ServedConnections<Base: ServerChildChannel>: ServerChildChannel {
    private let base: Base
    private let runsOnEventLoop: Bool
    private let atOnce: ImmediateAnswer.Source?

    /// - Parameters:
    ///   - runsOnEventLoop: whether requests are handled on their connection's event loop, where nothing may block;
    ///     otherwise on the shared pool.
    ///   - atOnce: answers what can be answered from memory.
    package init(_ base: Base, runsOnEventLoop: Bool = false, atOnce: ImmediateAnswer.Source? = nil) {
        self.base = base
        self.runsOnEventLoop = runsOnEventLoop
        self.atOnce = atOnce
    }

    package final class Value: ServerChildChannelValue {
        fileprivate let inner: Base.Value
        private let base: Base
        private let logger: Logger
        private let isTaken = Atomic<Bool>(false)

        fileprivate init(_ inner: Base.Value, base: Base, logger: Logger) {
            self.inner = inner
            self.base = base
            self.logger = logger
        }

        deinit {
            if isTaken.load(ordering: .acquiring) { return }
            let (base, inner, logger) = (base, inner, logger)
            // Nobody is left to wait for it; the shutdown of the server's connections ends it.
            Task { await base.handle(value: inner, logger: logger) }
        }

        package var channel: any Channel { inner.channel }

        fileprivate func take() -> Base.Value {
            isTaken.store(true, ordering: .releasing)
            return inner
        }
    }

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        base.setup(channel: channel, logger: logger).flatMapThrowing { [base, atOnce] inner in
            let pipeline = inner.channel.pipeline.syncOperations
            let codec = try pipeline.handler(type: HTTP1ToHTTPServerCodec.self)
            try pipeline.addHandler(ConnectionPersistence(), position: .before(codec))
            if let atOnce {
                let writer = MessageWriter(try pipeline.context(handlerType: HTTPResponseEncoder.self))
                try pipeline.addHandler(writer, position: .before(codec))
                // Behind the one that ends idle connections, so that it sees these requests too.
                let state = try pipeline.handler(type: HTTPConnectionStateHandler.self)
                try pipeline.addHandler(ImmediateAnswers(atOnce, writer), position: .after(state))
            }
            return Value(inner, base: base, logger: logger)
        }
    }

    package func handle(value: Value, logger: Logger) async {
        guard runsOnEventLoop else { return await base.handle(value: value.take(), logger: logger) }
        await withTaskExecutorPreference(EventLoopExecutor(value.channel.eventLoop)) {
            await base.handle(value: value.take(), logger: logger)
        }
    }
}

extension HTTPServerBuilder {
    /// An HTTP/1.1 server that traps on no connection; see ``ServedConnections``.
    package static func plain(
        idleTimeout: TimeAmount? = nil, runsOnEventLoop: Bool = false, atOnce: ImmediateAnswer.Source? = nil
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            ServedConnections(
                HTTP1Channel(responder: responder, configuration: .init(idleTimeout: idleTimeout)),
                runsOnEventLoop: runsOnEventLoop, atOnce: atOnce)
        }
    }
}
