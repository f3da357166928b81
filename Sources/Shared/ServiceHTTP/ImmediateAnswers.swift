import Glibc
package import HTTPTypes
package import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import Synchronization

/// A whole answer with status 200, written down as an HTTP/1.1 message (RFC 9112).
package struct ImmediateAnswer: Sendable {
    /// Status line, fields and, unless it is a file, body.
    package let message: ByteBuffer
    fileprivate private(set) var file: SentFile?
    private let second: time_t

    /// Whether an answer made now would have the same date.
    package var isDatedNow: Bool { second == time(nil) }

    /// - Parameter fields: all but the length and the date, which are added.
    package init(_ fields: HTTPFields, body: [UInt8]) { self.init(fields, length: body.count, start: body) }

    /// An answer that lacks its body, which ``with(_:)`` gives it.
    ///
    /// - Parameters:
    ///   - fields: all but the length and the date, which are added.
    ///   - length: of the body, in bytes.
    package init(_ fields: HTTPFields, length: Int) { self.init(fields, length: length, start: []) }

    private init(_ fields: HTTPFields, length: Int, start: [UInt8]) {
        var message = ByteBuffer()
        message.reserveCapacity(start.count + 512)
        message.writeStaticString("HTTP/1.1 200 OK\r\n")
        for field in fields {
            message.writeString(field.name.rawName)
            message.writeStaticString(": ")
            message.writeString(field.value)
            message.writeStaticString("\r\n")
        }
        let date = CurrentDate.now
        message.writeString("Content-Length: \(length)\r\nDate: \(date.text)\r\n\r\n")
        message.writeBytes(start)
        self.message = message
        second = date.second
    }

    /// The same answer with its body, for a connection whose answers an `HTTPResponseEncoder` writes straight to the
    /// socket.
    package func with(_ file: SentFile) -> Self {
        var answer = self
        answer.file = file
        return answer
    }

    /// Answers a GET request from memory or the page cache; nil leaves it to the server's responder. May not wait for
    /// anything.
    package typealias Source = @Sendable (HTTPRequest) -> ImmediateAnswer?
}

/// Answers requests the moment they are read, before the server has read from the next connection, where that can be
/// done from memory or the page cache. All others take their usual way.
///
/// What comes while a file is sent, which takes as long as the client likes, waits: the connection is not idle until
/// the file has gone, and nobody may close it before.
final class ImmediateAnswers: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum Arrival {
        case part(HTTPRequestPart)
        /// Such as that the client sends no more.
        case event(Any)
    }

    private let source: ImmediateAnswer.Source
    private let writer: MessageWriter
    /// Requests that took the usual way and whose answers have not ended; what comes after them waits its turn.
    private var unanswered = 0
    /// The answer to the request that is being read.
    private var answer: ImmediateAnswer?
    private var mustFlush = false
    private var isSendingFile = false
    /// What waits for a file. No more is read as long as there is any.
    private var waiting = CircularBuffer<Arrival>()
    private var mustRead = false

    init(_ source: @escaping ImmediateAnswer.Source, _ writer: MessageWriter) {
        self.source = source
        self.writer = writer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        arrive(.part(unwrapInboundIn(data)), context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { arrive(.event(event), context) }

    func channelReadComplete(context: ChannelHandlerContext) {
        flushIfNeeded(context)
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if waiting.isEmpty { context.read() } else { mustRead = true }
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { unanswered -= 1 }
        context.write(data, promise: promise)
    }

    private func arrive(_ arrival: Arrival, _ context: ChannelHandlerContext) {
        if isSendingFile || !waiting.isEmpty {
            waiting.append(arrival)
        } else {
            handle(arrival, context)
        }
    }

    private func handle(_ arrival: Arrival, _ context: ChannelHandlerContext) {
        let part: HTTPRequestPart
        switch arrival {
        case .part(let arrived): part = arrived
        case .event(let event): return context.fireUserInboundEventTriggered(event)
        }
        switch part {
        case .head(let request):
            // A client that does not read its answers goes the usual way, which waits for it.
            if unanswered == 0, context.channel.isWritable, request.isSimpleGet, let answer = source(request) {
                self.answer = answer
                return
            }
            unanswered += 1
        case .body:
            break
        case .end:
            guard let answer else { break }
            self.answer = nil
            return send(answer, context)
        }
        context.fireChannelRead(wrapInboundOut(part))
    }

    private func send(_ answer: ImmediateAnswer, _ context: ChannelHandlerContext) {
        mustFlush = true
        guard let file = answer.file else { return end(answer.message, context) }
        isSendingFile = true
        writer.write(answer.message)
        // In a later turn: the heads of all connections that are served in this one go first. Right behind its head a
        // file took clients of many connections nearly twice the time.
        context.eventLoop.assumeIsolated().execute {
            file.send(past: self.writer.encoder).assumeIsolated().whenComplete { self.fileIsSent($0, context) }
        }
    }

    private func fileIsSent(_ result: Result<Void, any Error>, _ context: ChannelHandlerContext) {
        isSendingFile = false
        // The length that was announced can no longer be kept.
        guard case .success = result else { return context.close(promise: nil) }
        end(ByteBuffer(), context)
        if !waiting.isEmpty { context.eventLoop.assumeIsolated().execute { self.goOn(context) } }
    }

    private func goOn(_ context: ChannelHandlerContext) {
        while !isSendingFile, let next = waiting.popFirst() { handle(next, context) }
        channelReadComplete(context: context)
        guard mustRead, waiting.isEmpty else { return }
        mustRead = false
        context.read()
    }

    /// The handlers between here and the writer need to know no more than that an answer has ended.
    ///
    /// - Parameter rest: what is still to be written of it.
    private func end(_ rest: ByteBuffer, _ context: ChannelHandlerContext) {
        writer.next = rest
        context.write(wrapOutboundOut(.end(nil)), promise: nil)
    }

    private func flushIfNeeded(_ context: ChannelHandlerContext) {
        guard mustFlush else { return }
        mustFlush = false
        context.flush()
    }
}

/// Writes past the encoder, which has nothing to do for answers that are written down, and in the place of their ends.
final class MessageWriter: ChannelOutboundHandler {
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What the next part to come stands for.
    var next: ByteBuffer?
    /// The place of the connection's `HTTPResponseEncoder`.
    let encoder: ChannelHandlerContext

    init(_ encoder: ChannelHandlerContext) { self.encoder = encoder }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let message = next else { return context.write(data, promise: promise) }
        next = nil
        if message.readableBytes > 0 { write(message) }
        promise?.succeed()
    }

    func write(_ message: ByteBuffer) { encoder.write(NIOAny(IOData.byteBuffer(message)), promise: nil) }
}

extension HTTPRequest {
    /// Whether it is a GET without a body, of a whole resource, on a connection that stays.
    fileprivate var isSimpleGet: Bool {
        guard method == .get else { return false }
        for field in headerFields {
            switch field.name {
            case .contentLength:
                guard field.value == "0" else { return false }
            case .connection, .transferEncoding, .expect, .upgrade, .range, .ifRange, .ifMatch, .ifNoneMatch,
                .ifModifiedSince, .ifUnmodifiedSince:
                return false
            default: break
            }
        }
        return true
    }
}

/// The value of a `Date` field, as RFC 9110 section 5.6.7 writes it; made once a second.
private enum CurrentDate {
    private static let last = Mutex((second: time_t(0), text: ""))

    static var now: (second: time_t, text: String) {
        let second = time(nil)
        return last.withLock { last in
            if last.second != second { last = (second, text(of: second)) }
            return last
        }
    }

    /// Days and months have their English names: no process of ours sets a locale.
    private static func text(of second: time_t) -> String {
        var (second, parts) = (second, tm())
        gmtime_r(&second, &parts)
        var bytes = [CChar](repeating: 0, count: 64)
        let count = strftime(&bytes, bytes.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
