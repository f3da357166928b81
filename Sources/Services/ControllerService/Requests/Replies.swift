import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import PlatformModel
import ServiceHTTP

/// Answers in the shapes of the API.
enum Reply {
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) throws -> Response {
        let bytes = try JSONCoding.encoder.encode(value)
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func created(_ value: JSONValue) throws -> Response { try json(value, status: .created) }

    static let noContent = Response(status: .noContent)

    static func text(_ text: String, status: HTTPResponse.Status = .ok, type: String = "text/plain; charset=utf-8")
        -> Response
    {
        Response(status: status, headers: [.contentType: type], body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    static func redirect(to location: String) -> Response {
        Response(status: .found, headers: [.location: location])
    }

    /// A minimal page; `text` is escaped.
    static func page(_ text: String, status: HTTPResponse.Status) -> Response {
        let escaped = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
        return self.text(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>\(escaped)</title></head>"
                + "<body><h1>\(escaped)</h1></body></html>\n",
            status: status, type: "text/html; charset=utf-8")
    }
}

extension JSONValue {
    init(_ date: Date) { self = .string(date.wire) }

    init(_ uuid: UUID) { self = .string(uuid.uuidString.lowercased()) }

    init(_ uuid: UUID?) { self = uuid.map { JSONValue($0) } ?? .null }
}
