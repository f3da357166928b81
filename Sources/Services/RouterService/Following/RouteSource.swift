package import AccessTokens
package import CurlTransfer
import HTTPTypes
import ServiceHTTP

/// The controller's side of the routing table.
package struct RouteSource: Sendable {
    private let client: HTTPClient
    private let controllerURL: String
    private let credentials: ClientCredentialsSource
    /// Seconds the controller may hold a request open while nothing changes.
    private let wait: Int

    /// - Parameter credentials: give access tokens with the scope `controller:routes`.
    package init(
        client: HTTPClient, controllerURL: String, credentials: ClientCredentialsSource, wait: Int = 30
    ) {
        self.client = client
        self.controllerURL = controllerURL
        self.credentials = credentials
        self.wait = wait
    }

    /// What leads from `version` to the controller's table, or all of it; nil when nothing changed for a while.
    package func next(after version: Int) async throws -> RoutingNews? {
        let request = TransferRequest(
            url: "\(controllerURL)/v2/platform/routes?after=\(version)&wait=\(wait)&changes=true",
            timeout: .seconds(wait + 15), connectTimeout: .seconds(3))
        let response = try await send(request)
        if response.status == 304 { return nil }
        return try response.requireSuccess().decode(RoutingNews.self, using: JSONCoding.decoder)
    }

    /// Tells the controller that a version is in force.
    package func acknowledge(_ version: Int) async throws {
        var request = try TransferRequest.json(
            .post, url: "\(controllerURL)/v2/platform/routes/applied", Applied(version: version))
        request.timeout = .seconds(10)
        _ = try await send(request).requireSuccess()
    }

    private func send(_ request: TransferRequest) async throws -> TransferResponse {
        let token = try await credentials.token()
        var request = request
        request.headers[.authorization] = "Bearer \(token)"
        let response = try await client.send(request, limit: 64 << 20)
        // The caller asks again after a pause, then with a fresh token.
        if response.status == 401 { await credentials.invalidate(token) }
        return response
    }

    private struct Applied: Encodable {
        let version: Int
    }
}
