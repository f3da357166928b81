import CurlTransfer
import FoundationEssentials
import HTTPTypes
import ServiceHTTP

/// The controller's API as the demo uses it: the calls of the stock command line.
struct PlatformClient: Sendable {
    /// The controller refused a call.
    struct Refused: Error, CustomStringConvertible {
        let call: String
        let status: Int
        let body: String

        var description: String { "\(call) was answered \(status): \(body.prefix(300))" }
    }

    private struct Credentials: Encodable {
        let username: String
        let password: String
    }

    private struct LoginKey: Decodable {
        let key: String
    }

    private struct Token: Decodable {
        let token: String
    }

    private struct Page: Decodable {
        let results: [Item]
    }

    private struct Item: Decodable {
        let id: String
    }

    private struct NewKey: Encodable {
        let id: String
        let `public`: String
    }

    private struct NewWorkspace: Encodable {
        let id: String
        let email: String
    }

    private struct NewApp: Encodable {
        let id: String
        let workspace: String
    }

    let base: String
    let client: HTTPClient
    var token: String?

    /// Signs in with a password, as `drycc login` does, and keeps the token.
    mutating func logIn(username: String, password: String) async throws -> String {
        let credentials = Credentials(username: username, password: password)
        let key = try await send(.post, "/v2/auth/login/", credentials).decode(LoginKey.self).key
        let token = try await send(.get, "/v2/auth/token/\(key)/?alias=demo").decode(Token.self).token
        self.token = token
        return token
    }

    /// Whether the token is still good.
    func isSignedIn() async throws -> Bool {
        guard token != nil else { return false }
        return try await client.send(request(.get, "/v2/auth/whoami/")).isSuccess
    }

    /// Registers a public key unless one of this id is there.
    func ensureKey(id: String, publicKey: String) async throws {
        if try await ids("/v2/keys/").contains(id) { return }
        _ = try await send(.post, "/v2/keys/", NewKey(id: id, public: publicKey))
    }

    func ensureWorkspace(_ id: String, email: String) async throws {
        if try await ids("/v2/workspaces").contains(id) { return }
        _ = try await send(.post, "/v2/workspaces", NewWorkspace(id: id, email: email))
    }

    func ensureApp(_ id: String, workspace: String) async throws {
        if try await ids("/v2/apps/").contains(id) { return }
        _ = try await send(.post, "/v2/apps/", NewApp(id: id, workspace: workspace))
    }

    private func ids(_ path: String) async throws -> [String] {
        try await send(.get, "\(path)?limit=1000").decode(Page.self).results.map(\.id)
    }

    private func request(_ method: HTTPRequest.Method, _ path: String) -> TransferRequest {
        var request = TransferRequest(method: method, url: base + path, timeout: .seconds(30))
        if let token { request.headers[.authorization] = "token \(token)" }
        return request
    }

    private func send(_ method: HTTPRequest.Method, _ path: String) async throws -> TransferResponse {
        try await checked(request(method, path))
    }

    private func send(
        _ method: HTTPRequest.Method, _ path: String, _ body: some Encodable
    ) async throws -> TransferResponse {
        var request = request(method, path)
        request.headers[.contentType] = "application/json"
        request.body = .bytes(Array(try JSONCoding.encoder.encode(body)))
        return try await checked(request)
    }

    private func checked(_ request: TransferRequest) async throws -> TransferResponse {
        let response = try await client.send(request)
        guard response.isSuccess else {
            throw Refused(call: "\(request.method) \(request.url)", status: response.status, body: response.text)
        }
        return response
    }
}
