package import HTTPTypes

/// The request that asks for a websocket, as the deciding closure sees it.
package struct WebSocketRequest: Sendable {
    /// The path without the query, still percent-encoded.
    package let path: String
    /// The query without its question mark, still percent-encoded.
    package let query: String?
    package let headers: HTTPFields
    /// The peer's address, for logs and limits.
    package let remoteAddress: String?

    package init(target: String, headers: HTTPFields, remoteAddress: String?) {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = parts.first.map(String.init) ?? "/"
        query = parts.count > 1 ? String(parts[1]) : nil
        self.headers = headers
        self.remoteAddress = remoteAddress
    }
}

/// What becomes of a request for a websocket.
package enum WebSocketDecision: Sendable {
    /// Serves one websocket; returning closes it with 1000, throwing with 1011.
    package typealias Handler = @Sendable (WebSocketConnection) async throws -> Void

    /// Completes the handshake with `headers` added to the answer and runs the handler.
    case accept(headers: HTTPFields = [:], handler: Handler)
    /// Answers the handshake with an ordinary HTTP response; the connection is closed after it.
    case refuse(status: HTTPResponse.Status, headers: HTTPFields = [:], body: String = "")
    /// Not a websocket of ours: the router answers the request as if it had no `Upgrade` header.
    case passOn
}
