import AccessTokens
import ConcurrencyPrimitives
import CurlTransfer
import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import PlatformModel
import RouterService
import ServiceHTTP
import Synchronization
import TestSupport

/// The controller's routing endpoints and passport's token endpoint.
final class FakeController: Sendable {
    private struct State {
        var table: RoutingTable?
        var changes: RoutingChanges?
        var wholeTables = 0
        var acknowledged: [Int] = []
        var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
        var nextListener = 0
        var isWithheld = false
    }

    private struct Applied: Decodable {
        let version: Int
    }

    private let state = Mutex(State())

    /// How many times a whole table was asked for and sent.
    var wholeTables: Int { state.withLock { $0.wholeTables } }

    /// Makes `table` the controller's, and says so by `changes` to a router that has the version they are for.
    func publish(_ table: RoutingTable, announcedAs changes: RoutingChanges? = nil) {
        state.withLock { state in
            state.table = table
            state.changes = changes
        }
        announce()
    }

    /// Changes the controller's table.
    func publish(_ changes: RoutingChanges) {
        let table = state.withLock { $0.table } ?? RoutingTable(version: 0, hosts: [])
        let touched = Set(changes.hosts.map(\.host) + changes.removed)
        publish(
            RoutingTable(
                version: changes.version, hosts: table.hosts.filter { !touched.contains($0.host) } + changes.hosts,
                certificates: table.certificates),
            announcedAs: changes)
    }

    /// Lets no router have a table any more.
    func withhold() { state.withLock { $0.isWithheld = true } }

    /// Waits until a router has confirmed this version.
    func confirmation(of version: Int) async throws {
        try await withDeadline(.seconds(30)) {
            let news = self.listen()
            if self.state.withLock({ $0.acknowledged.contains(version) }) { return }
            for await _ in news where self.state.withLock({ $0.acknowledged.contains(version) }) { return }
            throw CancellationError()
        }
    }

    /// Serves the endpoints on a loopback port while `body` runs with it.
    func run(_ body: @escaping @Sendable (Int) async throws -> Void) async throws {
        try await withTestServer(makeRouter(), body)
    }

    /// Serves the endpoints and runs a follower against them while `body` runs.
    func follow(with edge: EdgeFixture, _ body: @escaping @Sendable () async throws -> Void) async throws {
        try await run { port in
            let base = "http://127.0.0.1:\(port)"
            let credentials = ClientCredentialsSource(
                tokenURL: "\(base)/oauth/token/", id: "router", secret: .init("secret"),
                scopes: ["controller:routes"], client: edge.client)
            let source = RouteSource(client: edge.client, controllerURL: base, credentials: credentials, wait: 1)
            let follower = RouteFollower(source: source, table: edge.table, logger: .silent)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await follower.run() }
                group.addTask { try await body() }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    private func listen() -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let number = state.withLock { state in
            state.nextListener += 1
            state.listeners[state.nextListener] = continuation
            return state.nextListener
        }
        continuation.onTermination = { _ in self.state.withLock { $0.listeners[number] = nil } }
        return stream
    }

    private func announce() {
        for listener in state.withLock({ Array($0.listeners.values) }) { listener.yield() }
    }

    /// What a router with version `known` lacks; as the controller, without waiting.
    private func news(since known: Int, takesChanges: Bool) throws -> [UInt8]? {
        try state.withLock { state in
            guard !state.isWithheld, let table = state.table, table.version != known else { return nil }
            // Changes without a host stand for those of another table, whatever version they name.
            if takesChanges, known > 0, let changes = state.changes, changes.since == known || changes.hosts.isEmpty {
                state.changes = changes.hosts.isEmpty ? nil : changes
                return Array(try JSONCoding.encoder.encode(changes))
            }
            state.wholeTables += 1
            return Array(try JSONCoding.encoder.encode(table))
        }
    }

    private func makeRouter() -> Hummingbird.Router<BasicRequestContext> {
        let router = Hummingbird.Router(context: BasicRequestContext.self)
        router.post("/oauth/token/") { _, _ in
            Self.json(Array(#"{"access_token":"good","expires_in":600}"#.utf8))
        }
        router.get("/v2/platform/routes") { request, _ in
            guard request.headers[.authorization] == "Bearer good" else { return Response(status: .unauthorized) }
            let query = request.uri.queryParameters
            let after = query.get("after", as: Int.self) ?? 0
            let takesChanges = query.get("changes") == "true"
            let announcements = self.listen()
            if let news = try self.news(since: after, takesChanges: takesChanges) { return Self.json(news) }
            do {
                return try await withDeadline(.seconds(query.get("wait", as: Int.self) ?? 30)) {
                    for await _ in announcements {
                        if let news = try self.news(since: after, takesChanges: takesChanges) { return Self.json(news) }
                    }
                    throw CancellationError()
                }
            } catch is DeadlineExceeded {
                return Response(status: .notModified)
            }
        }
        router.post("/v2/platform/routes/applied") { request, _ in
            let body = try await request.body.collect(upTo: 1024)
            let applied = try JSONCoding.decoder.decode(Applied.self, from: Data(body.readableBytesView))
            self.state.withLock { $0.acknowledged.append(applied.version) }
            self.announce()
            return Response(status: .noContent)
        }
        return router
    }

    private static func json(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
