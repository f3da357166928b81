package import NIOCore

/// One open websocket as its handler sees it.
///
/// The task of the handler is cancelled as soon as the connection is gone, so a handler that only sends need not watch
/// for the end.
package struct WebSocketConnection: Sendable {
    /// The request that opened the websocket.
    package let request: WebSocketRequest
    /// The messages of the peer in order; ends when the peer closes, the connection breaks or the server shuts down.
    ///
    /// Iterate once. While nobody reads, the peer is stopped by back-pressure after a few messages; once the iterator
    /// is gone further messages are thrown away. A handler that never reads calls ``discardMessages()``.
    package let messages: WebSocketMessages
    private let session: NIOLoopBound<WebSocketSessionHandler>
    private let closed: EventLoopFuture<Void>

    init(request: WebSocketRequest, messages: WebSocketMessages, session: WebSocketSessionHandler, channel: any Channel)
    {
        self.request = request
        self.messages = messages
        self.session = NIOLoopBound(session, eventLoop: channel.eventLoop)
        self.closed = channel.closeFuture
    }

    /// Sends one text message and returns when the socket has taken it: a slow reader slows the sender.
    /// - Throws: ``WebSocketError/closed`` when the connection is closed or closing.
    package func send(text: String) async throws(WebSocketError) {
        try await send(.text, ByteBuffer(string: text))
    }

    /// Sends one binary message and returns when the socket has taken it: a slow reader slows the sender.
    /// - Throws: ``WebSocketError/closed`` when the connection is closed or closing.
    package func send(binary: ByteBuffer) async throws(WebSocketError) {
        try await send(.binary, binary)
    }

    /// Sends one binary message.
    package func send(binary: [UInt8]) async throws(WebSocketError) {
        try await send(.binary, ByteBuffer(bytes: binary))
    }

    /// Starts the close handshake and returns when the connection is gone; does nothing when it already is.
    ///
    /// `reason` is cut to the 123 bytes a close frame can hold.
    package func close(_ code: WebSocketCloseCode = .normal, reason: String = "") async {
        let session = session
        session.eventLoop.execute { session.value.startClosing(code, reason: reason) }
        await waitUntilClosed()
    }

    /// Throws away what the peer sends, now and later; for handlers that only send.
    package func discardMessages() {
        let session = session
        session.eventLoop.execute { session.value.discardMessages() }
    }

    /// Returns when the connection is gone.
    func waitUntilClosed() async {
        // The close future of a channel succeeds however the channel ended.
        try? await closed.get()
    }

    private func send(_ kind: WebSocketSessionHandler.Outgoing, _ data: ByteBuffer) async throws(WebSocketError) {
        let session = session
        do {
            try await session.eventLoop.flatSubmit { session.value.send(kind, data) }.get()
        } catch {
            throw .closed
        }
    }
}

/// The incoming messages of one websocket.
package struct WebSocketMessages: AsyncSequence, Sendable {
    typealias Producer = NIOAsyncSequenceProducer<
        WebSocketMessage, NIOAsyncSequenceProducerBackPressureStrategies.HighLowWatermark, WebSocketDemand
    >
    let producer: Producer

    package func makeAsyncIterator() -> Iterator {
        Iterator(base: producer.makeAsyncIterator())
    }

    package struct Iterator: AsyncIteratorProtocol {
        let base: Producer.AsyncIterator

        package func next() async -> WebSocketMessage? {
            await base.next()
        }
    }
}

/// Tells the session on its event loop that the reader of messages wants more.
struct WebSocketDemand: NIOAsyncSequenceProducerDelegate {
    let session: NIOLoopBound<WebSocketSessionHandler>

    func produceMore() {
        let session = session
        session.eventLoop.execute { session.value.resumeReading() }
    }

    func didTerminate() {
        let session = session
        session.eventLoop.execute { session.value.discardMessages() }
    }
}
