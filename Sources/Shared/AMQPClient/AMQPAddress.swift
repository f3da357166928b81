import PlatformModel

/// Where a broker is and who we are there, read from an `amqp://` or `amqps://` URL.
///
/// Query: `heartbeat` in seconds (10), `cacertfile` with the certificates to trust for `amqps`.
struct AMQPAddress: Sendable, Equatable {
    var isEncrypted: Bool
    var host: String
    var port: Int
    var user: String
    var password: String
    var virtualHost: String
    var heartbeat: Int
    var certificateFile: String?

    init(_ text: String) throws(AMQPError) {
        guard let separator = text.firstRange(of: "://") else { throw Self.invalid("no scheme") }
        switch text[..<separator.lowerBound] {
        case "amqp": isEncrypted = false
        case "amqps": isEncrypted = true
        default: throw Self.invalid("the scheme is neither amqp nor amqps")
        }
        let rest = text[separator.upperBound...]
        let (location, query) = Self.split(rest, at: "?")
        let (authority, path) = Self.split(location, at: "/")
        var place = authority
        (user, password) = ("guest", "guest")
        if let at = authority.lastIndex(of: "@") {
            let (name, secret) = Self.split(authority[..<at], at: ":")
            user = try Self.decoded(name)
            password = try Self.decoded(secret ?? "")
            place = authority[authority.index(after: at)...]
        }
        (host, port) = try Self.endpoint(place, defaultPort: isEncrypted ? 5671 : 5672)
        virtualHost = try path.map(Self.decoded) ?? "/"
        heartbeat = 10
        try read(query: query ?? "")
    }

    private mutating func read(query: Substring) throws(AMQPError) {
        for item in query.split(separator: "&") {
            let (name, value) = Self.split(item, at: "=")
            let text = try Self.decoded(value ?? "")
            switch name {
            case "heartbeat":
                guard let seconds = Int(text), (0...3600).contains(seconds) else { throw Self.invalid("bad heartbeat") }
                heartbeat = seconds
            case "cacertfile": certificateFile = text
            default: throw Self.invalid("unknown setting \(name)")
            }
        }
    }

    private static func endpoint(_ text: Substring, defaultPort: Int) throws(AMQPError) -> (String, Int) {
        var host = text
        var port: Substring?
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else { throw invalid("unclosed bracket") }
            host = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.first == ":" else { throw invalid("text after the host") }
            port = rest.isEmpty ? nil : rest.dropFirst()
        } else {
            (host, port) = split(text, at: ":")
        }
        guard !host.isEmpty else { throw invalid("no host") }
        guard let port else { return (try decoded(host), defaultPort) }
        guard let number = Int(port), (1...65_535).contains(number) else { throw invalid("bad port") }
        return (try decoded(host), number)
    }

    private static func split(_ text: Substring, at separator: Character) -> (Substring, Substring?) {
        guard let index = text.firstIndex(of: separator) else { return (text, nil) }
        return (text[..<index], text[text.index(after: index)...])
    }

    private static func decoded(_ text: Substring) throws(AMQPError) -> String {
        guard let string = PercentCoding.decode(text), !string.utf8.contains(0) else {
            throw invalid("bad percent-encoding")
        }
        return string
    }

    private static func invalid(_ reason: String) -> AMQPError { AMQPError(.invalidURL, reason) }
}
