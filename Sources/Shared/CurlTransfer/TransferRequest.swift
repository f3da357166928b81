package import HTTPTypes

/// One HTTP request to be carried out by ``HTTPClient``.
///
/// Nothing is inherited from the environment: no proxy, no `.netrc`, no cookies. Redirects are not followed unless
/// ``redirectLimit`` says so.
package struct TransferRequest: Sendable {
    package var method: HTTPRequest.Method
    /// An `http` or `https` URL, percent-encoded; sent as it is, dot segments included.
    package var url: String
    package var headers: HTTPFields
    package var body: TransferBody
    /// Connect to this unix socket instead of the URL's host.
    package var unixSocket: String?
    package var tls: TLSOptions
    /// Offer HTTP/2 in the TLS handshake; plain connections always speak HTTP/1.1.
    package var allowsHTTP2: Bool
    /// The longest time for resolving, connecting and the TLS handshake.
    package var connectTimeout: Duration
    /// The longest time from the call to the last byte of the response; nil for streams without an end.
    package var timeout: Duration?
    /// The longest time without a byte in either direction; waiting for a slow reader of ours does not count.
    package var idleTimeout: Duration?
    /// How many redirects are followed; authorization is not carried to another host.
    package var redirectLimit: Int

    /// - Parameters:
    ///   - timeout: 60 seconds unless given; pass nil for streams and bodies of unknown length, with an `idleTimeout`
    ///     where the peer is known to send something regularly.
    package init(
        method: HTTPRequest.Method = .get,
        url: String,
        headers: HTTPFields = [:],
        body: TransferBody = .none,
        unixSocket: String? = nil,
        tls: TLSOptions = TLSOptions(),
        timeout: Duration? = .seconds(60),
        connectTimeout: Duration = .seconds(5),
        idleTimeout: Duration? = nil,
        allowsHTTP2: Bool = false,
        redirectLimit: Int = 0
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.unixSocket = unixSocket
        self.tls = tls
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.idleTimeout = idleTimeout
        self.allowsHTTP2 = allowsHTTP2
        self.redirectLimit = redirectLimit
    }

    /// Host and port of the URL, or the socket's path: what errors and logs may show of the address.
    package var peer: String {
        if let unixSocket { return unixSocket }
        let afterScheme = url.firstRange(of: "://").map { url[$0.upperBound...] } ?? url[...]
        let authority = afterScheme.prefix { !"/?#".contains($0) }
        guard let at = authority.lastIndex(of: "@") else { return String(authority) }
        return String(authority[authority.index(after: at)...])
    }
}

/// How a TLS connection proves the peer, and us to the peer.
package struct TLSOptions: Sendable, Hashable {
    /// Whose signature on the peer's certificate is believed.
    package enum Trust: Sendable, Hashable {
        /// The machine's certificate authorities.
        case system
        /// Only the authorities in this PEM file.
        case file(String)
        /// Only the authorities in this PEM text.
        case pem(String)
        /// Anyone: for tests, and refused for hosts other than the loopback ones.
        case anyoneOnLoopback
    }

    /// The certificate and key by which a server recognises us, both in PEM.
    package struct ClientCertificate: Sendable, Hashable {
        package let chainPEM: String
        package let keyPEM: String

        package init(chainPEM: String, keyPEM: String) {
            self.chainPEM = chainPEM
            self.keyPEM = keyPEM
        }
    }

    package var trust: Trust
    package var clientCertificate: ClientCertificate?

    package init(trust: Trust = .system, clientCertificate: ClientCertificate? = nil) {
        self.trust = trust
        self.clientCertificate = clientCertificate
    }
}

extension TLSOptions.ClientCertificate: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "<client certificate>" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
