/// Why a transfer did not bring a response, or brought one that cannot be used.
///
/// Holds the peer (host and port, or a socket path) and a fixed sentence; never a header, a body, a query or
/// credentials, so it may be logged and counted. A response with an error status is *not* an error of the transfer.
package struct TransferError: Error, Sendable {
    /// The kind of failure; stable text, fit for a metric label.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String {
            case invalidRequest = "invalid_request"
            case resolveFailed = "resolve_failed"
            case refused
            case timeout
            case tlsFailed = "tls_failed"
            case interrupted
            case invalidResponse = "invalid_response"
            case tooLarge = "too_large"
            case tooManyRedirects = "too_many_redirects"
            case bodyFailed = "body_failed"
            case unexpectedStatus = "unexpected_status"
            case clientFailed = "client_failed"
        }

        private let value: Value

        private init(_ value: Value) { self.value = value }

        package var description: String { value.rawValue }

        /// The URL, the TLS options or the body of the request cannot be used.
        package static let invalidRequest = Self(.invalidRequest)
        /// The host name has no address.
        package static let resolveFailed = Self(.resolveFailed)
        /// Nothing accepts connections there.
        package static let refused = Self(.refused)
        /// Connecting, the whole transfer, or a pause between two bytes took longer than allowed.
        package static let timeout = Self(.timeout)
        /// The TLS handshake failed: an unknown authority, a wrong name, a missing client certificate.
        package static let tlsFailed = Self(.tlsFailed)
        /// The connection ended before the response was complete.
        package static let interrupted = Self(.interrupted)
        /// The peer does not speak HTTP, or the body is not what was asked for.
        package static let invalidResponse = Self(.invalidResponse)
        /// The response is longer than the caller's limit.
        package static let tooLarge = Self(.tooLarge)
        /// More redirects than the request allows.
        package static let tooManyRedirects = Self(.tooManyRedirects)
        /// The source of the request's body failed; ``TransferError/underlying`` says how.
        package static let bodyFailed = Self(.bodyFailed)
        /// A status outside 200–299 where the caller asked for success.
        package static let unexpectedStatus = Self(.unexpectedStatus)
        /// The client library refused to work: out of memory or a limit of the process.
        package static let clientFailed = Self(.clientFailed)
    }

    package let code: Code
    /// Host and port, or the path of the unix socket.
    package let peer: String
    /// One fixed sentence about the failure.
    package let detail: String
    /// The status of the response, for ``Code/unexpectedStatus``.
    package let status: Int?
    /// What the body's source threw, for ``Code/bodyFailed``, or the decoder, for ``Code/invalidResponse``.
    package let underlying: (any Error)?

    package init(
        _ code: Code, peer: String, detail: String, status: Int? = nil, underlying: (any Error)? = nil
    ) {
        self.code = code
        self.peer = peer
        self.detail = detail
        self.status = status
        self.underlying = underlying
    }

    /// Whether the same request may succeed later without anyone changing anything.
    package var isTransient: Bool {
        switch code {
        case .resolveFailed, .refused, .timeout, .interrupted: true
        case .unexpectedStatus: [429, 502, 503, 504].contains(status)
        default: false
        }
    }
}

extension TransferError: CustomStringConvertible {
    package var description: String {
        if let status { return "\(code) \(status) from \(peer)" }
        return "\(code) with \(peer): \(detail)"
    }
}
