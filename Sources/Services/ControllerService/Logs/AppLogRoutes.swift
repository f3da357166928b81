import AccessTokens
import CurlTransfer
import HTTPTypes
import Hummingbird
import NIOCore
import PlatformModel
import ServiceHTTP

/// An app's log as the logger keeps it: `GET /v2/apps/<id>/logs?log_lines=&follow=`.
struct AppLogRoutes: Sendable {
    /// Parameters handed on to the logger.
    private static let parameters = [
        "log_lines", "follow", "timeout", "format", "stream", "since", "until", "ptype", "pod", "container",
    ]

    let url: String
    let client: HTTPClient
    let credentials: ClientCredentialsSource?

    func addRoutes(to routes: RouteCatalog) {
        routes.app(.get, "/v2/apps/{app}/logs/", .viewer) { call in
            var pairs = Self.parameters.compactMap { name in call.query(name).map { (name, $0) } }
            if !pairs.contains(where: { $0.0 == "log_lines" }) { pairs.append(("log_lines", "100")) }
            let isFollowing = ["true", "1", "yes"].contains((call.query("follow") ?? "").lowercased())
            return try await fetch(call.caller.app.id, pairs, isFollowing: isFollowing)
        }
    }

    private func fetch(_ app: AppName, _ pairs: [(String, String)], isFollowing: Bool) async throws -> Response {
        var headers = HTTPFields()
        let upstream: StreamedResponse
        do {
            if let credentials { headers[.authorization] = "Bearer \(try await credentials.token())" }
            upstream = try await client.stream(
                TransferRequest(
                    url: "\(url)/logs/\(app)?\(FormCoding.encode(pairs))", headers: headers,
                    timeout: isFollowing ? nil : .seconds(30), idleTimeout: .seconds(60)))
        } catch let error as CancellationError {
            throw error
        } catch {
            throw APIError(.badGateway, message: "The logger does not answer, try again later.", cause: error)
        }
        switch upstream.status {
        case 200: return Self.relay(upstream)
        case 204, 404: return Reply.text("")
        case 400:
            let text = String(decoding: try await upstream.body.collect(upTo: 64 << 10), as: UTF8.self)
            throw Refusal.invalid(text.isEmpty ? "the log query is not valid" : text)
        default: throw Refusal(.badGateway, .detail("The logger does not serve its logs now, try again later."))
        }
    }

    private static func relay(_ upstream: StreamedResponse) -> Response {
        let type = upstream.headers[.contentType] ?? "text/plain; charset=utf-8"
        return Response(
            status: .ok, headers: [.contentType: type, .cacheControl: "no-store"],
            body: .init { writer in
                for try await chunk in upstream.body { try await writer.write(ByteBuffer(bytes: chunk)) }
                try await writer.finish(nil)
            })
    }
}
