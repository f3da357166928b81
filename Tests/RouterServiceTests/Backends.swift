import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import OpenSSLCrypto
import ServiceHTTP
import ServiceLifecycle
import Synchronization
import WebSocketServer

/// Backends that answer with their name and count their requests.
///
/// On `/echo` they are a websocket that echoes, on `/digest` they answer with the digest of what was sent, on `/slow`
/// with one line whenever ``releaseLine()`` is called.
final class Backends: Sendable {
    private let counts = Mutex<[String: Int]>([:])
    private let lines = AsyncStream<Void>.makeStream()

    func count(_ name: String) -> Int { counts.withLock { $0[name] ?? 0 } }

    /// Lets the answer on `/slow` go on by one line.
    func releaseLine() { lines.continuation.yield() }

    /// Runs one backend for each name while `body` works with their ports.
    func run(_ names: [String], _ body: @escaping @Sendable ([Int]) async throws -> Void) async throws {
        guard let name = names.first else { return try await body([]) }
        let backend = try await start(name)
        do {
            try await run(Array(names.dropFirst())) { ports in try await body([backend.port] + ports) }
        } catch {
            try await backend.drain()
            throw error
        }
        try await backend.drain()
    }

    /// Starts a backend, which runs until it is drained.
    func start(_ name: String) async throws -> RunningBackend {
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let service = HTTPService(
            router: router(name), listen: ListenAddress(host: "127.0.0.1", port: 0),
            server: .webSocket { request in
                guard request.path == "/echo" else { return .passOn }
                return .accept { connection in
                    for await message in connection.messages {
                        if case .text(let text) = message { try await connection.send(text: "\(name): \(text)") }
                    }
                }
            },
            logger: .silent, onRunning: { continuation.yield($0) })
        let group = ServiceGroup(services: [service], logger: .silent)
        // Awaited by `drain`.
        let running = Task { try await group.run() }
        for await port in ports { return RunningBackend(port: port, group: group, running: running) }
        throw CancellationError()
    }

    private func router(_ name: String) -> Hummingbird.Router<BasicRequestContext> {
        let router = Hummingbird.Router(context: BasicRequestContext.self)
        router.post("/digest") { request, _ in
            let digest = SHA256Digest()
            for try await part in request.body { digest.update(part.readableBytesView) }
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: digest.hexDigest())))
        }
        router.get("/slow") { _, _ in
            Response(
                status: .ok,
                body: ResponseBody { writer in
                    var number = 0
                    for await _ in self.lines.stream {
                        number += 1
                        try await writer.write(ByteBuffer(string: "line \(number)\n"))
                        if number == 3 { break }
                    }
                    try await writer.finish(nil)
                })
        }
        for path in ["/", "**"] {
            router.on(RouterPath(path), method: .get) { request, _ in self.answer(name, request) }
            router.on(RouterPath(path), method: .post) { request, _ in self.answer(name, request) }
        }
        return router
    }

    private func answer(_ name: String, _ request: Request) -> Response {
        counts.withLock { $0[name, default: 0] += 1 }
        let headers = request.headers.map { "\($0.name.rawName.lowercased()): \($0.value)" }.sorted()
        let text = ([name, "host: \(request.head.authority ?? "")"] + headers).joined(separator: "\n")
        return Response(
            status: .ok, headers: [HTTPField.Name("DRYCC_API_VERSION") ?? .server: "2.3"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}

/// A backend that ends as apps do: it takes no new connection, finishes what it began and exits.
struct RunningBackend: Sendable {
    let port: Int
    fileprivate let group: ServiceGroup
    fileprivate let running: Task<Void, any Error>

    fileprivate init(port: Int, group: ServiceGroup, running: Task<Void, any Error>) {
        self.port = port
        self.group = group
        self.running = running
    }

    func drain() async throws {
        await group.triggerGracefulShutdown()
        try await running.value
    }
}
