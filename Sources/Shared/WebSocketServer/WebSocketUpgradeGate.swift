import HTTPTypes
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1
import NIOWebSocket

/// Holds each request that asks for a websocket until the server has decided, then upgrades, refuses or passes it on.
///
/// NIO's own upgrade handler serves only the first request of a connection and loses requests whose `Upgrade` header it
/// does not serve; reverse proxies reuse connections, so this one looks at every request. It waits for the answers to
/// earlier pipelined requests before it acts.
final class WebSocketUpgradeGate: ChannelDuplexHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        /// Requests pass; may become holding.
        case passing
        /// A request for a websocket waits, with whether it was handed out; may become passing or finished.
        case holding(HTTPRequestHead, handedOut: Bool)
        /// Upgraded or refused: no further request is served here.
        case finished
    }

    private let pipeline: WebSocketPipeline
    private let requests: AsyncStream<WebSocketUpgradeRequest>.Continuation
    private var state = State.passing
    private var context: ChannelHandlerContext?
    private var held: [HTTPServerRequestPart] = []
    private var heldRead = false
    private var unanswered = 0
    /// NIO's decoder stops after a request with an `Upgrade` header; it is replaced when that request goes on.
    private var decoderStops = false

    init(pipeline: WebSocketPipeline, requests: AsyncStream<WebSocketUpgradeRequest>.Continuation) {
        self.pipeline = pipeline
        self.requests = requests
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        requests.finish()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        state = .finished
        requests.finish()
        context.fireChannelInactive()
    }

    // MARK: - Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        switch state {
        case .finished: return
        case .holding: held.append(part)
        case .passing:
            guard case .head(let head) = part else {
                forward(part, context)
                return
            }
            if Self.asksForWebSocket(head) {
                state = .holding(head, handedOut: false)
                handOut(context)
            } else {
                forward(.head(head), context)
            }
        }
    }

    func read(context: ChannelHandlerContext) {
        if case .holding = state, held.contains(where: \.isEnd) { heldRead = true } else { context.read() }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let ends = unwrapOutboundIn(data).isEnd
        context.write(data, promise: promise)
        guard ends else { return }
        unanswered = max(0, unanswered - 1)
        handOut(context)
    }

    private func handOut(_ context: ChannelHandlerContext) {
        guard unanswered == 0, case .holding(let head, handedOut: false) = state else { return }
        state = .holding(head, handedOut: true)
        let request = WebSocketRequest(
            target: head.uri, headers: .init(head.headers, splitCookie: false),
            remoteAddress: context.channel.remoteAddress?.ipAddress)
        requests.yield(
            WebSocketUpgradeRequest(request: request, gate: NIOLoopBound(self, eventLoop: context.eventLoop)))
    }

    private func forward(_ part: HTTPServerRequestPart, _ context: ChannelHandlerContext) {
        var part = part
        if case .head(var head) = part {
            unanswered += 1
            decoderStops = head.headers.contains(name: "upgrade")
            head.headers.remove(name: "upgrade")
            part = .head(head)
        }
        context.fireChannelRead(wrapInboundOut(part))
        if part.isEnd, decoderStops {
            decoderStops = false
            pipeline.replaceDecoder(in: context)
        }
    }

    static func asksForWebSocket(_ head: HTTPRequestHead) -> Bool {
        let hasBody =
            head.headers.contains(name: "transfer-encoding")
            || head.headers[canonicalForm: "content-length"].contains { $0 != "0" }
        return head.method == .GET && head.version == .http1_1 && !hasBody
            && head.headers[canonicalForm: "upgrade"].contains { $0.lowercased() == "websocket" }
            && head.headers[canonicalForm: "connection"].contains { $0.lowercased() == "upgrade" }
    }

    // MARK: - Decisions

    /// Answers the held request and returns the websocket when there is one.
    func resolve(_ decision: WebSocketDecision, of request: WebSocketRequest) -> EventLoopFuture<WebSocketConnection?> {
        guard let context, case .holding(let head, handedOut: true) = state else {
            return pipeline.eventLoop.makeSucceededFuture(nil)
        }
        switch decision {
        case .accept(let headers, _):
            return accept(head, .init(headers), request, context)
        case .refuse(let status, let headers, let body):
            let status = HTTPResponseStatus(statusCode: status.code, reasonPhrase: status.reasonPhrase)
            refuse(status, .init(headers), body, context)
        case .passOn:
            passOn(head, context)
        }
        return pipeline.eventLoop.makeSucceededFuture(nil)
    }

    private func passOn(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        state = .passing
        let parts = held
        held = []
        forward(.head(head), context)
        for part in parts { forward(part, context) }
        context.fireChannelReadComplete()
        releaseRead(context)
    }

    private func refuse(
        _ status: HTTPResponseStatus, _ headers: HTTPHeaders, _ body: String, _ context: ChannelHandlerContext
    ) {
        state = .finished
        var headers = headers
        headers.replaceOrAdd(name: "content-length", value: "\(body.utf8.count)")
        headers.replaceOrAdd(name: "connection", value: "close")
        if !headers.contains(name: "content-type") {
            headers.add(name: "content-type", value: "text/plain; charset=utf-8")
        }
        let answer = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(wrapOutboundOut(.head(answer)), promise: nil)
        if !body.isEmpty { context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: body)))), promise: nil) }
        context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { [weak self] _ in
            self?.context?.close(promise: nil)
        }
    }

    private func accept(
        _ head: HTTPRequestHead, _ headers: HTTPHeaders, _ request: WebSocketRequest, _ context: ChannelHandlerContext
    ) -> EventLoopFuture<WebSocketConnection?> {
        WebSocketPipeline.acceptHeaders(for: head, adding: headers, on: context.channel).assumeIsolated().flatMapResult
        {
            [weak self] headers -> Result<WebSocketConnection?, any Error> in
            guard let self, let context = self.context, case .holding = self.state else { return .success(nil) }
            self.state = .finished
            let answer = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
            context.writeAndFlush(self.wrapOutboundOut(.head(answer)), promise: nil)
            return Result { try self.pipeline.upgrade(context, gate: self, request: request) }
        }.flatMapErrorThrowing { [weak self] error -> WebSocketConnection? in
            guard let self, let context = self.context else { return nil }
            // Still holding: the handshake itself was wrong. Otherwise the pipeline could not be changed.
            guard case .holding = self.state else { throw error }
            self.refuse(
                .badRequest, ["sec-websocket-version": "13"], "Not a websocket handshake of version 13.\n", context)
            return nil
        }.nonisolated()
    }

    /// Lets the channel read again after it was stopped behind a held request.
    func releaseRead(_ context: ChannelHandlerContext) {
        guard heldRead else { return }
        heldRead = false
        context.read()
    }
}

/// A held request on its way to the deciding closure.
struct WebSocketUpgradeRequest: Sendable {
    let request: WebSocketRequest
    let gate: NIOLoopBound<WebSocketUpgradeGate>

    /// Carries the decision out; nil when no websocket comes of it.
    func resolve(_ decision: WebSocketDecision) async throws -> WebSocketConnection? {
        let gate = gate
        let request = request
        return try await gate.eventLoop.flatSubmit { gate.value.resolve(decision, of: request) }.get()
    }
}

extension HTTPServerRequestPart {
    fileprivate var isEnd: Bool {
        if case .end = self { true } else { false }
    }
}

extension HTTPServerResponsePart {
    fileprivate var isEnd: Bool {
        if case .end = self { true } else { false }
    }
}
