import HTTPTypes
package import HummingbirdCore
package import Logging
package import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import ServiceHTTP

/// An HTTP/1.1 server channel on which any request of a connection may become a websocket.
///
/// Made for `Application(router:server:)` by ``HTTPServerBuilder/webSocket(configuration:decide:)``.
/// Requests with other `Upgrade` headers are answered by the router as if they had none.
package struct WebSocketHTTPServer: HTTPChannelHandler {
    /// Decides about a request for a websocket; may ask a database. Cancelled when the connection is gone.
    package typealias Decide = @Sendable (WebSocketRequest) async throws -> WebSocketDecision

    package let responder: HTTPChannelHandler.Responder
    private let configuration: WebSocketConfiguration
    private let decide: Decide

    package init(
        responder: @escaping HTTPChannelHandler.Responder,
        configuration: WebSocketConfiguration,
        decide: @escaping Decide
    ) {
        self.responder = responder
        self.configuration = configuration
        self.decide = decide
    }

    /// A connection: its HTTP side, and the requests for websockets that wait for a decision.
    package struct Value: ServerChildChannelValue {
        let http: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>
        let upgrades: AsyncStream<WebSocketUpgradeRequest>

        package var channel: any Channel { http.channel }
    }

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            // One request can wait at a time: the gate hands out the next only after the decision.
            let (upgrades, requests) = AsyncStream.makeStream(
                of: WebSocketUpgradeRequest.self, bufferingPolicy: .bufferingOldest(1))
            let state = HTTPConnectionStateHandler(
                idleTimeout: .init(configuration.httpIdleTimeout), logger: logger)
            let pipeline = WebSocketPipeline(
                eventLoop: channel.eventLoop, configuration: configuration, connectionState: state)
            let operations = channel.pipeline.syncOperations
            try pipeline.addCodec(to: operations)
            try operations.addHandler(WebSocketUpgradeGate(pipeline: pipeline, requests: requests))
            try operations.addHandler(HTTP1ToHTTPServerCodec(secure: false))
            try operations.addHandler(state)
            let http = try NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
            return Value(http: http, upgrades: upgrades)
        }
    }

    package func handle(value: Value, logger: Logger) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await handleHTTP(asyncChannel: value.http, logger: logger) }
            group.addTask {
                for await request in value.upgrades { await serve(request, logger) }
            }
            // The HTTP side ends with the connection; a decision still running is then of no use.
            await group.next()
            group.cancelAll()
        }
    }

    private func serve(_ pending: WebSocketUpgradeRequest, _ logger: Logger) async {
        let decision: WebSocketDecision
        do {
            decision = try await decide(pending.request)
        } catch is CancellationError {
            decision = .refuse(status: .serviceUnavailable)
        } catch {
            logger.error("Deciding about a websocket failed", metadata: ["error": "\(String(reflecting: error))"])
            decision = .refuse(status: .internalServerError)
        }
        do {
            guard let connection = try await pending.resolve(decision) else { return }
            guard case .accept(_, let handler) = decision else { return }
            await run(handler, connection, logger)
        } catch {
            logger.debug("A websocket handshake failed", metadata: ["error": "\(String(reflecting: error))"])
        }
    }

    private func run(
        _ handler: @escaping WebSocketDecision.Handler, _ connection: WebSocketConnection, _ logger: Logger
    ) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await handler(connection)
                    await connection.close(.normal)
                } catch is CancellationError {
                    await connection.close(.goingAway)
                } catch WebSocketError.closed {
                    await connection.close(.goingAway)
                } catch {
                    logger.error("A websocket handler failed", metadata: ["error": "\(String(reflecting: error))"])
                    await connection.close(.internalError)
                }
            }
            group.addTask { await connection.waitUntilClosed() }
            await group.next()
            group.cancelAll()
        }
    }
}

extension HTTPServerBuilder {
    /// An HTTP/1.1 server whose requests may become websockets:
    /// `Application(router: router, server: .webSocket { … })`.
    package static func webSocket(
        configuration: WebSocketConfiguration = .init(),
        decide: @escaping WebSocketHTTPServer.Decide
    ) -> HTTPServerBuilder {
        HTTPServerBuilder { responder in
            ServedConnections(
                WebSocketHTTPServer(responder: responder, configuration: configuration, decide: decide))
        }
    }
}
