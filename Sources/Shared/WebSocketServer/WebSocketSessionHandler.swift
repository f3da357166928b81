import NIOCore
import NIOExtras
import NIOWebSocket

/// Speaks RFC 6455 on one upgraded channel: joins fragments, answers pings, watches the peer and closes in order.
///
/// Lives on the event loop of its channel.
/// Sits before the HTTP handlers, which see nothing once the channel is upgraded.
final class WebSocketSessionHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = Never
    typealias OutboundOut = WebSocketFrame

    enum Outgoing: Sendable {
        case text, binary

        var opcode: WebSocketOpcode { self == .text ? .text : .binary }
    }

    private enum State {
        /// May become closing or closed.
        case open
        /// Our close frame is out and the peer's is awaited; may become closed.
        case closing
        case closed
    }

    private let configuration: WebSocketConfiguration
    private let eventLoop: any EventLoop
    private var context: ChannelHandlerContext?
    private var state = State.open
    private var assembler: WebSocketMessageAssembler
    private var source: WebSocketMessages.Producer.Source?
    private var wantsMessages = true
    private var discards = false
    private var heldRead = false
    private var heldPong: ByteBuffer?
    private var keepAlive: WebSocketKeepAlive

    init(configuration: WebSocketConfiguration, eventLoop: any EventLoop) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        assembler = WebSocketMessageAssembler(limit: configuration.maximumMessageSize)
        keepAlive = WebSocketKeepAlive(configuration: configuration)
    }

    /// Makes the one stream of messages; called once, before the handler is added to the pipeline.
    func makeMessages() -> WebSocketMessages {
        let pair = NIOAsyncSequenceProducer.makeSequence(
            elementType: WebSocketMessage.self,
            backPressureStrategy: NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark(
                lowWatermark: 2, highWatermark: 8),
            finishOnDeinit: true,
            delegate: WebSocketDemand(session: NIOLoopBound(self, eventLoop: eventLoop)))
        source = pair.source
        return WebSocketMessages(producer: pair.sequence)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { scheduleWatch(context) } else { end() }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    // MARK: - Receiving

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        keepAlive.received(at: .now())
        guard state != .closed else { return }
        guard frame.maskKey != nil, !frame.rsv1, !frame.rsv2, !frame.rsv3 else {
            return fail(.protocolError, "unmasked frame or reserved bits")
        }
        switch frame.opcode {
        case .connectionClose: peerCloses(frame.unmaskedData, context)
        case .ping: pong(frame.unmaskedData, context)
        case .pong: break
        case .text, .binary, .continuation:
            guard state == .open else { return }
            receive(frame)
        default: fail(.protocolError, "unknown frame type")
        }
    }

    private func receive(_ frame: WebSocketFrame) {
        do {
            guard let message = try assembler.add(frame) else { return }
            keepAlive.exchanged(at: .now())
            guard !discards, let source else { return }
            if source.yield(message) == .stopProducing { wantsMessages = false }
        } catch {
            fail(error.code, error.reason)
        }
    }

    private func pong(_ data: ByteBuffer, _ context: ChannelHandlerContext) {
        guard state == .open else { return }
        // A peer that pings without reading gets one answer when it reads again, as the standard allows.
        guard context.channel.isWritable else {
            heldPong = data
            return
        }
        context.writeAndFlush(wrapOutboundOut(WebSocketFrame(fin: true, opcode: .pong, data: data)), promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, let data = heldPong {
            heldPong = nil
            pong(data, context)
        }
        context.fireChannelWritabilityChanged()
    }

    func read(context: ChannelHandlerContext) {
        if wantsMessages || discards || state != .open { context.read() } else { heldRead = true }
    }

    func resumeReading() {
        wantsMessages = true
        guard heldRead, let context else { return }
        heldRead = false
        keepAlive.received(at: .now())
        context.read()
    }

    func discardMessages() {
        discards = true
        resumeReading()
    }

    // MARK: - Sending

    func send(_ kind: Outgoing, _ data: ByteBuffer) -> EventLoopFuture<Void> {
        guard let context, state == .open else {
            return eventLoop.makeFailedFuture(WebSocketError.closed)
        }
        keepAlive.exchanged(at: .now())
        let promise = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(
            wrapOutboundOut(WebSocketFrame(fin: true, opcode: kind.opcode, data: data)), promise: promise)
        return promise.futureResult
    }

    // MARK: - Closing

    func startClosing(_ code: WebSocketCloseCode, reason: String) {
        guard let context, state == .open else { return }
        state = .closing
        source?.finish()
        write(code, reason, context)
        scheduleForcedClose(context)
        if heldRead { resumeReading() }
    }

    private func peerCloses(_ data: ByteBuffer, _ context: ChannelHandlerContext) {
        guard state == .open else {
            context.close(promise: nil)
            return
        }
        switch WebSocketMessageAssembler.closeCode(in: data) {
        case .failure(let violation): return fail(violation.code, violation.reason)
        case .success(let code):
            state = .closing
            source?.finish()
            let echo = code.map { ByteBuffer(integer: $0.number) } ?? ByteBuffer()
            let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: echo)
            context.writeAndFlush(wrapOutboundOut(frame)).assumeIsolated().whenComplete { [weak self] _ in
                self?.context?.close(promise: nil)
            }
            scheduleForcedClose(context)
        }
    }

    /// Ends the connection because of the peer: the close frame goes out, and what still comes in is drained until the
    /// peer closes, so that a reset does not overtake the frame.
    private func fail(_ code: WebSocketCloseCode, _ reason: String) {
        guard let context, state == .open else { return }
        state = .closing
        source?.finish()
        write(code, reason, context)
        context.close(mode: .output, promise: nil)
        scheduleForcedClose(context)
        if heldRead { resumeReading() }
    }

    private func write(_ code: WebSocketCloseCode, _ reason: String, _ context: ChannelHandlerContext) {
        var data = ByteBuffer(integer: code.number)
        data.writeString(Self.cut(reason))
        let frame = WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
        context.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    static func cut(_ reason: String) -> String {
        guard reason.utf8.count > 123 else { return reason }
        var kept = reason.prefix(123)
        while kept.utf8.count > 123 { kept.removeLast() }
        return String(kept)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? NIOWebSocketError else {
            context.close(promise: nil)
            return
        }
        switch error {
        case .invalidFrameLength: fail(.messageTooLarge, "message too large")
        default: fail(.protocolError, "malformed control frame")
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent: startClosing(.goingAway, reason: "the server is shutting down")
        case ChannelEvent.inputClosed: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    private func end() {
        state = .closed
        source?.finish()
        source = nil
        heldPong = nil
    }

    // MARK: - Watching

    private func scheduleWatch(_ context: ChannelHandlerContext) {
        let next = keepAlive.nextCheck(after: .now())
        context.eventLoop.assumeIsolated().scheduleTask(deadline: next) { [weak self] in self?.watch() }
    }

    private func watch() {
        guard let context, state == .open else { return }
        // Nothing can be heard from the peer while its messages are held back.
        if heldRead { keepAlive.received(at: .now()) }
        switch keepAlive.check(at: .now()) {
        case .wait: break
        case .ping:
            context.writeAndFlush(
                wrapOutboundOut(WebSocketFrame(fin: true, opcode: .ping, data: .init())), promise: nil)
        case .silent:
            context.close(promise: nil)
            return
        case .idle:
            startClosing(.goingAway, reason: "idle")
            return
        }
        scheduleWatch(context)
    }

    private func scheduleForcedClose(_ context: ChannelHandlerContext) {
        context.eventLoop.assumeIsolated().scheduleTask(in: configuration.closeTimeout) { [weak self] in
            self?.context?.close(promise: nil)
        }
    }
}
