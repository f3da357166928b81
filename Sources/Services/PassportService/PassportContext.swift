import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore

/// What passport knows about a request beside the request itself.
struct PassportContext: RequestContext {
    /// Forms are small; nothing here takes files.
    static let formByteLimit = 64 * 1024

    var coreContext: CoreRequestContextStorage
    /// The address of the other end of the connection, which may be a proxy.
    let peer: String?

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        peer = source.channel.remoteAddress?.ipAddress
    }

    var maxUploadSize: Int { Self.formByteLimit }
}

/// Finds out whose request it is behind proxies.
struct ClientAddress: Sendable {
    private static let forwardedFor = HTTPField.Name("X-Forwarded-For")

    let trustedProxies: Set<String>

    /// The nearest address that is not one of our proxies.
    func of(_ request: Request, _ context: PassportContext) -> String {
        guard let peer = context.peer else { return "unknown" }
        guard trustedProxies.contains(peer), let name = Self.forwardedFor else { return peer }
        let hops = request.headers[values: name].flatMap { $0.split(separator: ",") }
            .map { String($0.filter { !$0.isWhitespace }.prefix(64)) }
        return hops.last { !trustedProxies.contains($0) && !$0.isEmpty } ?? peer
    }
}

/// The source of "now", so that tests can move time.
typealias CurrentTime = @Sendable () -> Date
