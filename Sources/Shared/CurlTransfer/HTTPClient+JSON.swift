package import FoundationEssentials
package import HTTPTypes

extension TransferRequest {
    /// A request whose body is `value` in JSON; further properties can be set on the result.
    package static func json(
        _ method: HTTPRequest.Method,
        url: String,
        _ value: some Encodable,
        headers: HTTPFields = [:],
        encoder: JSONEncoder = JSONEncoder()
    ) throws -> Self {
        var headers = headers
        if headers[.contentType] == nil { headers[.contentType] = "application/json" }
        if headers[.accept] == nil { headers[.accept] = "application/json" }
        let body = try encoder.encode(value)
        return Self(method: method, url: url, headers: headers, body: .bytes(Array(body)))
    }
}

extension HTTPClient {
    /// Sends the request and decodes the body of a successful response.
    /// - Throws: ``TransferError`` with ``TransferError/Code/unexpectedStatus`` for a status outside 200–299 and
    ///   ``TransferError/Code/invalidResponse`` for a body that is not such a value.
    package func sendJSON<Value: Decodable>(
        _ request: TransferRequest, as type: Value.Type, using decoder: JSONDecoder = JSONDecoder()
    ) async throws -> Value {
        try await send(request).requireSuccess().decode(type, using: decoder)
    }
}
