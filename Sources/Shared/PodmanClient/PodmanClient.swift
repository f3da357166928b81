package import CurlTransfer
import FoundationEssentials
import HTTPTypes
import PlatformModel

/// Speaks podman's REST API (libpod, 4.3) on a unix socket.
///
/// A value that can be copied freely; connections are kept by the shared ``CurlTransfer/HTTPClient``. Every call has a
/// deadline and throws ``PodmanError``, or `CancellationError` when its task is cancelled.
package struct PodmanClient: Sendable {
    /// Path of the service's socket.
    package let socket: String
    let http: HTTPClient

    static let base = "http://d/v4.3.1/libpod"

    package init(socket: String, http: HTTPClient) {
        self.socket = socket
        self.http = http
    }

    /// Succeeds when the service answers.
    package func ping() async throws {
        _ = try await call(.get, "_ping", timeout: .seconds(5))
    }

    /// What the service says about itself and its host.
    package func info() async throws -> PodmanInfo {
        try await decoded(.get, "info", as: PodmanInfo.self)
    }

    // MARK: - Calls

    /// Sends one request and returns its successful answer.
    func call(
        _ method: HTTPRequest.Method, _ path: String, query: [QueryItem] = [], body: TransferBody = .none,
        headers: HTTPFields = [:], timeout: Duration = .seconds(60)
    ) async throws -> TransferResponse {
        let request = request(method, path, query: query, body: body, headers: headers, timeout: timeout)
        let response: TransferResponse
        do {
            response = try await http.send(request, limit: 64 * 1024 * 1024)
        } catch let error as TransferError {
            throw PodmanError(error)
        }
        guard response.status < 400 else { throw Self.failure(response.status, response.body) }
        return response
    }

    /// Sends one request with a JSON body and returns its successful answer.
    func call(
        _ method: HTTPRequest.Method, _ path: String, query: [QueryItem] = [], json: some Encodable,
        timeout: Duration = .seconds(60)
    ) async throws -> TransferResponse {
        let body = try JSONEncoder().encode(json)
        return try await call(
            method, path, query: query, body: .bytes(Array(body)), headers: [.contentType: "application/json"],
            timeout: timeout)
    }

    func decoded<Value: Decodable>(
        _ method: HTTPRequest.Method, _ path: String, query: [QueryItem] = [], as type: Value.Type
    ) async throws -> Value {
        try decode(type, from: try await call(method, path, query: query))
    }

    func decode<Value: Decodable>(_ type: Value.Type, from response: TransferResponse) throws -> Value {
        do {
            return try response.decode(type)
        } catch {
            let detail = error.underlying.map { "\($0)" } ?? ""
            throw PodmanError(.invalidResponse, message: "podman's answer is not a \(type): \(detail)")
        }
    }

    /// Opens a response that is read while it arrives.
    func open(
        _ method: HTTPRequest.Method, _ path: String, query: [QueryItem] = [], headers: HTTPFields = [:],
        idleTimeout: Duration? = nil
    ) async throws -> StreamedResponse {
        var request = request(method, path, query: query, body: .none, headers: headers, timeout: nil)
        request.idleTimeout = idleTimeout
        do {
            let response = try await http.stream(request)
            guard response.status < 400 else {
                throw Self.failure(response.status, try await response.body.collect(upTo: 65536))
            }
            return response
        } catch let error as TransferError {
            throw PodmanError(error)
        }
    }

    private func request(
        _ method: HTTPRequest.Method, _ path: String, query: [QueryItem], body: TransferBody, headers: HTTPFields,
        timeout: Duration?
    ) -> TransferRequest {
        TransferRequest(
            method: method, url: "\(Self.base)/\(path)\(query.encoded)", headers: headers, body: body,
            unixSocket: socket, timeout: timeout)
    }

    static func failure(_ status: Int, _ body: [UInt8]) -> PodmanError {
        do {
            let decoded = try JSONDecoder().decode(PodmanErrorBody.self, from: Data(body))
            return PodmanError(status: status, body: decoded)
        } catch {
            let text = String(decoding: body.prefix(200), as: UTF8.self)
            return PodmanError(status: status, body: PodmanErrorBody(cause: "", message: text))
        }
    }
}

/// One `name=value` of a query.
struct QueryItem {
    let name: String
    let value: String

    init(_ name: String, _ value: some CustomStringConvertible) {
        self.name = name
        self.value = value.description
    }

    /// podman's filters: a JSON object of lists.
    static func filters(_ filters: [String: [String]]) throws -> Self {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Self("filters", String(decoding: try encoder.encode(filters), as: UTF8.self))
    }
}

extension [QueryItem] {
    var encoded: String {
        isEmpty ? "" : "?" + map { "\($0.name)=\($0.value.percentEncoded)" }.joined(separator: "&")
    }
}

extension String {
    /// As a component of a path or query.
    var percentEncoded: String { PercentCoding.encode(self) }
}

/// The parts of podman's `info` that matter to us.
package struct PodmanInfo: Decodable, Sendable {
    package struct Host: Decodable, Sendable {
        package struct Runtime: Decodable, Sendable {
            package var name: String
            package var version: String
        }

        package var cgroupVersion: String
        package var networkBackend: String
        package var ociRuntime: Runtime
    }

    package struct Store: Decodable, Sendable {
        package var graphDriverName: String
        package var graphRoot: String
        package var runRoot: String
    }

    package struct Version: Decodable, Sendable {
        private enum CodingKeys: String, CodingKey { case version = "Version" }
        package var version: String
    }

    package var host: Host
    package var store: Store
    package var version: Version
}
