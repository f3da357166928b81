import HummingbirdCore
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// Knows which handlers of a channel speak HTTP/1.1 and exchanges them for those of a websocket.
final class WebSocketPipeline {
    let eventLoop: any EventLoop
    private let configuration: WebSocketConfiguration
    private let encoder = HTTPResponseEncoder()
    private var decoder = WebSocketPipeline.makeDecoder()
    private let connectionState: HTTPConnectionStateHandler

    init(eventLoop: any EventLoop, configuration: WebSocketConfiguration, connectionState: HTTPConnectionStateHandler) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.connectionState = connectionState
    }

    private static func makeDecoder() -> ByteToMessageHandler<HTTPRequestDecoder> {
        ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
    }

    /// The handlers between socket and gate of a fresh connection.
    func addCodec(to operations: ChannelPipeline.SynchronousOperations) throws {
        try operations.addHandler(encoder)
        try operations.addHandler(decoder)
    }

    /// Puts a fresh request decoder in the place of one that has stopped; it gets the bytes left over.
    func replaceDecoder(in context: ChannelHandlerContext) {
        let operations = context.pipeline.syncOperations
        let fresh = Self.makeDecoder()
        do {
            try operations.addHandler(fresh, position: .after(decoder))
            operations.removeHandler(decoder, promise: nil)
            decoder = fresh
        } catch {
            context.fireErrorCaught(error)
            context.close(promise: nil)
        }
    }

    /// Turns the channel into a websocket; the answer to the handshake is already written.
    func upgrade(
        _ context: ChannelHandlerContext, gate: WebSocketUpgradeGate, request: WebSocketRequest
    ) throws -> WebSocketConnection {
        let operations = context.pipeline.syncOperations
        let session = WebSocketSessionHandler(configuration: configuration, eventLoop: eventLoop)
        let messages = session.makeMessages()
        let frames = ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: configuration.maximumMessageSize))
        try operations.addHandlers([WebSocketFrameEncoder(), frames, session], position: .before(gate))
        operations.removeHandler(connectionState, promise: nil)
        operations.removeHandler(encoder, promise: nil)
        operations.removeHandler(decoder, promise: nil)
        gate.releaseRead(context)
        return WebSocketConnection(request: request, messages: messages, session: session, channel: context.channel)
    }

    /// Checks the handshake and computes the headers of its answer.
    static func acceptHeaders(
        for head: HTTPRequestHead, adding headers: HTTPHeaders, on channel: any Channel
    ) -> EventLoopFuture<HTTPHeaders> {
        let upgrader = NIOTypedWebSocketServerUpgrader<Void>(
            shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(headers) },
            upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
        return upgrader.buildUpgradeResponse(channel: channel, upgradeRequest: head, initialResponseHeaders: [:])
    }
}
