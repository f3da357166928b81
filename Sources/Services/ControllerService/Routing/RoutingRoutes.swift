import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import PlatformModel
import ServiceHTTP

/// How the router learns what to serve, and says that it does.
struct RoutingRoutes: Sendable {
    private static let longestWait = 55

    let feed: RoutingFeed

    func addRoutes(to routes: RouteCatalog) {
        let scope = MachineScope.routes
        routes.machine(.get, "/v2/platform/routes/", scope: scope) { call in
            let after = Int(call.query("after") ?? "") ?? -1
            let wait = min(max(Int(call.query("wait") ?? "") ?? 30, 0), Self.longestWait)
            // A router from before changes were sent would take them for a whole table.
            let takesChanges = call.query("changes") == "true"
            guard let news = try await feed.news(since: after, takesChanges: takesChanges, waiting: .seconds(wait))
            else { return Response(status: .notModified) }
            return Response(
                status: .ok, headers: [.contentType: "application/json"],
                body: .init(byteBuffer: ByteBuffer(bytes: try JSONCoding.encoder.encode(news))))
        }
        routes.machine(.post, "/v2/platform/routes/applied/", scope: scope) { call in
            var form = try await call.form()
            guard let version = form.optionalInteger("version"), version >= 0 else {
                throw Refusal.field("version", "A valid integer is required.")
            }
            try await feed.confirm(version)
            return Reply.noContent
        }
    }
}
