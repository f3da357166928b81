import AccessTokens

/// An absolute http or https URL to which a browser may be sent with an answer.
struct RedirectURI: Sendable, Hashable {
    let text: String
    /// Scheme, host and port: what a content security policy names.
    let origin: String
    private let host: Substring
    private let path: Substring
    private let scheme: Substring

    /// Nil for anything else, also for URLs with a fragment, user information, or characters that are not plain ASCII.
    init?(_ text: String) {
        guard let scheme = text.firstRange(of: "://"), ["http", "https"].contains(text[..<scheme.lowerBound]),
            text.utf8.count <= 2000,
            text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !text.contains(where: { "#\\\"<>^`{|}".contains($0) })
        else { return nil }
        let rest = text[scheme.upperBound...]
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        guard !authority.isEmpty, !authority.contains(where: { "@';,".contains($0) }) else { return nil }
        self.text = text
        self.scheme = text[..<scheme.lowerBound]
        origin = String(text[..<authority.endIndex])
        path = rest[authority.endIndex...]
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") {
            host = authority[...end]
        } else {
            host = authority.prefix { $0 != ":" }
        }
        let port = authority[host.endIndex...]
        guard port.isEmpty || port.first == ":" && UInt16(port.dropFirst()) != nil else { return nil }
    }

    /// Whether this registered URI admits `candidate`: the same text, or, for loopback addresses,
    /// the same text but for the port (RFC 8252 section 7.3).
    func admits(_ candidate: RedirectURI) -> Bool {
        if candidate.text == text { return true }
        return isLoopback && candidate.isLoopback && scheme == "http" && candidate.scheme == "http"
            && host == candidate.host && path == candidate.path
    }

    private var isLoopback: Bool { host == "127.0.0.1" || host == "[::1]" }

    /// The URI with parameters added to its query.
    func adding(_ parameters: [(String, String)]) -> String {
        let query = FormCoding.encode(parameters)
        guard text.contains("?") else { return text + "?" + query }
        return text + (text.hasSuffix("?") || text.hasSuffix("&") ? "" : "&") + query
    }
}
