import AccessTokens
import FoundationEssentials
import HTTPTypes
import Hummingbird
import PlatformModel
import ServiceHTTP

/// One request with what its policy has established about the caller.
struct Call<Caller: Sendable>: Sendable {
    let request: Request
    let context: ControllerContext
    let caller: Caller

    /// A path parameter, percent-decoded.
    ///
    /// - Throws: ``Refusal`` 404 when it is not text or holds a slash or zero byte: such a path leads nowhere.
    func parameter(_ name: String) throws(Refusal) -> String {
        guard let raw = context.parameters.get(name), let text = PercentCoding.decode(raw), !text.contains("/"),
            !text.utf8.contains(0)
        else {
            throw .unknownPath
        }
        return text
    }

    /// The first query parameter of that name.
    func query(_ name: String) -> String? {
        request.uri.queryParameters[name[...]].map { String($0) }
    }

    var page: PageRequest { PageRequest(limit: query("limit"), offset: query("offset")) }

    /// The address the caller used, without a path: `https://drycc.example.com`.
    var origin: String {
        let forwarded = request.headers.forwarded("x-forwarded-proto")?.split(separator: ",").first.map(String.init)
        let scheme = forwarded == "https" ? "https" : "http"
        return "\(scheme)://\(request.head.authority ?? request.headers.forwarded("host") ?? "localhost")"
    }

    /// The members of the JSON or form body; an empty body has none.
    ///
    /// - Throws: ``Refusal`` 400 for malformed JSON and anything but an object, 413 and 415.
    func members() async throws -> [String: JSONValue] {
        try await RequestBodyReader.members(of: request, limit: ControllerContext.bodyLimit)
    }

    func form() async throws -> Form { Form(try await members()) }
}

extension HTTPFields {
    /// The field a proxy added, by its lower-case name.
    func forwarded(_ name: String) -> String? { HTTPField.Name(name).flatMap { self[$0] } }
}

extension Refusal {
    /// A path that leads nowhere is answered with a page, as browsers expect; the command line never sees one.
    static let unknownPath = Refusal(.notFound, .page("Not Found"))
}

/// What every request must satisfy, whatever its route.
enum RequestRule {
    /// - Throws: ``Refusal`` 400 for a query with a zero byte, which no text of ours can hold.
    static func check(_ request: Request) throws(Refusal) {
        guard !(request.uri.query ?? "").contains("%00") else { throw .invalid("Null characters are not allowed.") }
    }
}

/// Reads request bodies into JSON members.
enum RequestBodyReader {
    static func members(of request: Request, limit: Int) async throws -> [String: JSONValue] {
        let bytes = try await bytes(of: request, limit: limit)
        guard !bytes.isEmpty else { return [:] }
        let type = request.headers[.contentType]?.split(separator: ";").first.map { $0.lowercased() } ?? ""
        switch type {
        case "application/x-www-form-urlencoded": return try form(bytes)
        case "", "application/json", "text/json": return try json(bytes)
        default:
            throw Refusal(.unsupportedBody, .detail("Unsupported media type \"\(type.prefix(80))\" in request."))
        }
    }

    private static func bytes(of request: Request, limit: Int) async throws -> [UInt8] {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > limit { throw tooLarge(limit) }
        var bytes: [UInt8] = []
        for try await chunk in request.body {
            guard bytes.count + chunk.readableBytes <= limit else { throw tooLarge(limit) }
            bytes.append(contentsOf: chunk.readableBytesView)
        }
        return bytes
    }

    private static func tooLarge(_ limit: Int) -> Refusal {
        Refusal(.bodyTooLarge, .detail("The request body is larger than \(limit) bytes."))
    }

    private static func json(_ bytes: [UInt8]) throws -> [String: JSONValue] {
        let value: JSONValue
        do {
            value = try JSONCoding.decoder.decode(JSONValue.self, from: Data(bytes))
        } catch {
            throw Refusal(.malformedBody, .detail("JSON parse error - the body is not valid JSON"))
        }
        switch value {
        case .object(let members): return members
        case .null: return [:]
        default:
            throw Refusal.field("non_field_errors", "Invalid data. Expected a dictionary.")
        }
    }

    private static func form(_ bytes: [UInt8]) throws -> [String: JSONValue] {
        guard let text = String(validating: bytes, as: UTF8.self), let pairs = FormCoding.decodePairs(text) else {
            throw Refusal(.malformedBody, .detail("Form parse error - the body is not a valid form"))
        }
        return Dictionary(pairs.map { ($0.0, JSONValue.string($0.1)) }) { _, last in last }
    }
}
