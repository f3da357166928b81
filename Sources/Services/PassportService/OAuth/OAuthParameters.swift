import AccessTokens
import HTTPTypes
import Hummingbird

/// The parameters of an OAuth request; none may come twice (RFC 6749 section 3.1), and empty ones count as absent.
struct OAuthParameters: Sendable {
    private let values: [String: String]
    /// The names that came more than once.
    let repeated: Set<String>

    init(_ pairs: [(String, String)]) {
        var values: [String: String] = [:]
        var repeated: Set<String> = []
        for (name, value) in pairs where !value.isEmpty {
            if values.updateValue(value, forKey: name) != nil { repeated.insert(name) }
        }
        self.values = values
        self.repeated = repeated
    }

    /// The parameters of a query; nil when its escapes are broken.
    init?(query: String) {
        guard let pairs = FormCoding.decodePairs(query) else { return nil }
        self.init(pairs)
    }

    /// The parameters of a form-encoded body.
    /// - Throws: ``OAuthError`` with `invalid_request` for another content type, broken text, or a body over the limit.
    init(form request: Request, context: PassportContext) async throws {
        let type = request.headers[.contentType]?.lowercased().prefix { $0 != ";" }
        guard let type, type.filter({ $0 != " " }) == "application/x-www-form-urlencoded" else {
            throw OAuthError(.invalidRequest, "The body must be application/x-www-form-urlencoded.")
        }
        let body = try await request.body.collect(upTo: context.maxUploadSize)
        guard let text = String(validating: body.readableBytesView, as: UTF8.self), !text.utf8.contains(0),
            let pairs = FormCoding.decodePairs(text), pairs.allSatisfy({ !$0.1.utf8.contains(0) })
        else { throw OAuthError(.invalidRequest, "The body is not well-formed.") }
        self.init(pairs)
    }

    subscript(name: String) -> String? { values[name] }

    /// Every pair, by name.
    var pairs: [(String, String)] { values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }

    /// - Throws: `invalid_request` when a parameter came twice.
    func requireUnique() throws(OAuthError) {
        guard repeated.isEmpty else {
            throw OAuthError(.invalidRequest, "A parameter is repeated: \(repeated.sorted().joined(separator: ", ")).")
        }
    }

    /// - Throws: `invalid_request` when it is absent.
    func required(_ name: String) throws(OAuthError) -> String {
        guard let value = values[name] else { throw OAuthError(.invalidRequest, "The parameter \(name) is missing.") }
        return value
    }
}
