import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore

extension Response {
    /// An answer without a body.
    static func empty(_ status: HTTPResponse.Status, _ headers: HTTPFields = [:]) -> Response {
        Response(status: status, headers: headers)
    }

    /// The answer to a HEAD request: the fields a GET would have, with the length of the body that is left out.
    static func head(_ status: HTTPResponse.Status, _ headers: HTTPFields, length: Int) -> Response {
        Response(
            status: status, headers: headers,
            body: .init(contentLength: length) { writer in try await writer.finish(nil) })
    }

    /// The same answer to a HEAD request; a body would be read as the answer to the connection's next request.
    func withoutBody() -> Response {
        .head(status, headers, length: body.contentLength ?? 0)
    }

    /// An answer of literal JSON.
    static func json(_ text: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    /// An answer of a JSON object whose last member is a list of names.
    ///
    /// - Parameter names: texts that are the same in JSON, as tags and names of repositories are.
    static func names(
        _ names: [some CustomStringConvertible], as member: String, after start: String = "", headers: HTTPFields
    ) -> Response {
        var text = "{\(start)\"\(member)\":["
        text.reserveCapacity(text.utf8.count + names.count * 32)
        for (index, name) in names.enumerated() {
            text += index == 0 ? "\"" : ",\""
            text += name.description
            text += "\""
        }
        text += "]}"
        return Response(
            status: .ok, headers: headers + [.contentType: "application/json; charset=utf-8"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    /// An answer of encoded JSON, its members in a fixed order.
    static func json(
        _ value: some Encodable, type: String = "application/json; charset=utf-8", headers: HTTPFields = [:]
    ) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = ByteBuffer(bytes: try encoder.encode(value))
        return Response(status: .ok, headers: headers + [.contentType: type], body: .init(byteBuffer: body))
    }
}

extension Request {
    /// The values of a query parameter, decoded, in order.
    func queryValues(_ name: String) -> [String] {
        uri.queryParameters[values: name[...]].map(String.init)
    }

    /// The first value of a query parameter.
    func queryValue(_ name: String) -> String? {
        uri.queryParameters.get(name)
    }
}
