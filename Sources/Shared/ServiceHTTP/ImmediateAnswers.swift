import Glibc
package import HTTPTypes
package import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import Synchronization

/// A whole answer with status 200, written down as an HTTP/1.1 message (RFC 9112).
package struct ImmediateAnswer: Sendable {
    /// Status line, fields and body.
    package let message: ByteBuffer
    private let second: time_t

    /// Whether an answer made now would have the same date.
    package var isDatedNow: Bool { second == time(nil) }

    /// - Parameter fields: all but the length and the date, which are added.
    package init(_ fields: HTTPFields, body: [UInt8]) {
        var message = ByteBuffer()
        message.reserveCapacity(body.count + 512)
        message.writeStaticString("HTTP/1.1 200 OK\r\n")
        for field in fields {
            message.writeString(field.name.rawName)
            message.writeStaticString(": ")
            message.writeString(field.value)
            message.writeStaticString("\r\n")
        }
        let date = CurrentDate.now
        message.writeString("Content-Length: \(body.count)\r\nDate: \(date.text)\r\n\r\n")
        message.writeBytes(body)
        self.message = message
        second = date.second
    }

    /// Answers a GET request from memory; nil leaves it to the server's responder. May not wait for anything.
    package typealias Source = @Sendable (HTTPRequest) -> ImmediateAnswer?
}

/// Answers requests the moment they are read, before the server has read from the next connection, where that can be
/// done from memory. All others take their usual way.
final class ImmediateAnswers: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let source: ImmediateAnswer.Source
    private let writer: MessageWriter
    /// Requests that took the usual way and whose answers have not ended; what comes after them waits its turn.
    private var unanswered = 0
    /// The answer to the request that is being read.
    private var answer: ImmediateAnswer?
    private var mustFlush = false

    init(_ source: @escaping ImmediateAnswer.Source, _ writer: MessageWriter) {
        self.source = source
        self.writer = writer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
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
            // The handlers between here and the writer need to know no more than that an answer has ended.
            writer.next = answer.message
            context.write(wrapOutboundOut(.end(nil)), promise: nil)
            mustFlush = true
            return
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if mustFlush {
            mustFlush = false
            context.flush()
        }
        context.fireChannelReadComplete()
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { unanswered -= 1 }
        context.write(data, promise: promise)
    }
}

/// Writes whole messages in the place of the ends that follow them, past the encoder, which has nothing to do for them.
final class MessageWriter: ChannelOutboundHandler {
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// What the next part to come stands for.
    var next: ByteBuffer?
    private let encoder: ChannelHandlerContext

    /// - Parameter encoder: the place of the connection's `HTTPResponseEncoder`.
    init(_ encoder: ChannelHandlerContext) { self.encoder = encoder }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let message = next else { return context.write(data, promise: promise) }
        next = nil
        encoder.write(NIOAny(IOData.byteBuffer(message)), promise: promise)
    }
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
