import NIOCore
import NIOHTTP1

/// Marks the requests after which a connection ends, in the one form the server looks for.
///
/// Those are the ones with the connection option `close`, alone or among others and in any case, and all of HTTP/1.0,
/// whose clients wait for the end of the connection unless they agreed on more (RFC 9112, section 9.3).
final class ConnectionPersistence: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .head(var head) = unwrapInboundIn(data), head.version == .http1_0 || !head.isKeepAlive else {
            return context.fireChannelRead(data)
        }
        head.headers.replaceOrAdd(name: "Connection", value: "close")
        context.fireChannelRead(wrapInboundOut(.head(head)))
    }
}
