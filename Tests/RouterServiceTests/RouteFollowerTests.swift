import AccessTokens
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
import Testing

/// The router and a controller that is a small server in this process.
@Suite(.timeLimit(.minutes(2))) struct RouteFollowerTests {
    @Test func aNewTableIsAppliedAndThenAcknowledged() async throws {
        let backends = Backends()
        try await backends.run(["one", "two"]) { ports in
            let controller = FakeController()
            controller.publish(
                RoutingTable(version: 3, hosts: [EdgeFixture.entry("shop.edge.localhost", ports: [ports[0]])]))
            try await EdgeFixture.with { edge in
                try await controller.follow(with: edge) {
                    try await eventually(within: .seconds(10), "version 3") { controller.acknowledged.contains(3) }
                    #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("one"))
                    controller.publish(
                        RoutingTable(version: 4, hosts: [EdgeFixture.entry("shop.edge.localhost", ports: [ports[1]])]))
                    try await eventually(within: .seconds(10), "version 4") { controller.acknowledged.contains(4) }
                    #expect(try await edge.send("shop.edge.localhost").text.hasPrefix("two"))
                }
            }
        }
    }
}

/// The controller's routing endpoints and passport's token endpoint.
private final class FakeController: Sendable {
    private struct State {
        var table: RoutingTable?
        var acknowledged: [Int] = []
    }

    private struct Applied: Decodable {
        let version: Int
    }

    private let state = Mutex(State())

    var acknowledged: [Int] { state.withLock { $0.acknowledged } }

    func publish(_ table: RoutingTable) { state.withLock { $0.table = table } }

    /// Serves the endpoints and runs a follower against them while `body` runs.
    func follow(with edge: EdgeFixture, _ body: @escaping @Sendable () async throws -> Void) async throws {
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let logger = Logger(label: "controller") { _ in SwiftLogNoOpLogHandler() }
        let service = HTTPService(
            router: makeRouter(), listen: ListenAddress(host: "127.0.0.1", port: 0), logger: logger,
            onRunning: { continuation.yield($0) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await service.run() }
            group.addTask {
                for await port in ports {
                    let base = "http://127.0.0.1:\(port)"
                    let credentials = ClientCredentialsSource(
                        tokenURL: "\(base)/oauth/token/", id: "router", secret: .init("secret"),
                        scopes: ["controller:routes"], client: edge.client)
                    let source = RouteSource(
                        client: edge.client, controllerURL: base, credentials: credentials, wait: 1)
                    try await RouteFollower(source: source, table: edge.table, logger: logger).run()
                    return
                }
            }
            group.addTask { try await body() }
            // The first to end is the body, unless a server fails.
            try await group.next()
            group.cancelAll()
        }
    }

    private func makeRouter() -> Hummingbird.Router<BasicRequestContext> {
        let router = Hummingbird.Router(context: BasicRequestContext.self)
        router.post("/oauth/token/") { _, _ in
            Self.json(Array(#"{"access_token":"good","expires_in":600}"#.utf8))
        }
        router.get("/v2/platform/routes") { request, _ in
            guard request.headers[.authorization] == "Bearer good" else { return Response(status: .unauthorized) }
            let after = request.uri.queryParameters.get("after", as: Int.self) ?? 0
            for _ in 0..<50 {
                if let table = self.state.withLock({ $0.table }), table.version > after {
                    return Self.json(Array(try JSONCoding.encoder.encode(table)))
                }
                try await Task.sleep(for: .milliseconds(20))
            }
            return Response(status: .notModified)
        }
        router.post("/v2/platform/routes/applied") { request, _ in
            let body = try await request.body.collect(upTo: 1024)
            let applied = try JSONCoding.decoder.decode(Applied.self, from: Data(body.readableBytesView))
            self.state.withLock { $0.acknowledged.append(applied.version) }
            return Response(status: .noContent)
        }
        return router
    }

    private static func json(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
