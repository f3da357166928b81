import Hummingbird
import Logging
import NIOCore

/// What the controller knows about a request before anybody is identified.
struct ControllerContext: RequestContext {
    var coreContext: CoreRequestContextStorage
    /// The address of the peer, which is the router for requests from outside.
    let peerAddress: String?

    /// JSON bodies of the API are small; a Procfile or Dockerfile is the largest member.
    static let bodyLimit = 1 << 20

    var maxUploadSize: Int { Self.bodyLimit }

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        peerAddress = source.channel.remoteAddress?.ipAddress
    }
}
