import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import WebSocketServer

/// A Hummingbird application on a free port with the websockets the tests need.
struct WebSocketTestServer {
    let port: Int
    /// The ends of `/watched` handlers, in order.
    let ends: AsyncStream<String>
    private let trigger: @Sendable () async -> Void

    /// Asks the server to shut down gracefully.
    func shutDown() async {
        await trigger()
    }

    /// Starts the server, runs the body and stops the server.
    static func run<Result: Sendable>(
        _ configuration: WebSocketConfiguration = .init(),
        _ body: @escaping @Sendable (WebSocketTestServer) async throws -> Result
    ) async throws -> Result {
        let router = Router()
        router.get("plain") { _, _ in "plain" }
        router.get("sockets/passed") { _, _ in "from the router" }
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let (ends, end) = AsyncStream.makeStream(of: String.self)
        var logger = Logger(label: "websocket.tests")
        logger.logLevel = .critical
        let application = Application(
            router: router,
            server: .webSocket(configuration: configuration) { request in
                try decide(request, end)
            },
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in port.yield(channel.localAddress?.port ?? 0) },
            logger: logger)
        let group = ServiceGroup(services: [application], logger: logger)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            let number = try require(await iterator.next())
            let server = WebSocketTestServer(port: number, ends: ends) { await group.triggerGracefulShutdown() }
            let result: Swift.Result<Result, any Error>
            do { result = .success(try await body(server)) } catch { result = .failure(error) }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            return try result.get()
        }
    }

    private struct DecisionFailed: Error {}

    private static func decide(
        _ request: WebSocketRequest, _ end: AsyncStream<String>.Continuation
    ) throws -> WebSocketDecision {
        switch request.path {
        case "/sockets/echo": .accept(headers: [.server: "echo"], handler: echo)
        case "/sockets/forbidden": .refuse(status: .forbidden, body: "no access")
        case "/sockets/broken": throw DecisionFailed()
        case "/sockets/failing": .accept { _ in throw DecisionFailed() }
        case "/sockets/count": .accept { try await count($0) }
        case "/sockets/watched": .accept { await watch($0, end) }
        case "/sockets/flood": .accept { await flood($0, end) }
        default: .passOn
        }
    }

    private static func echo(_ connection: WebSocketConnection) async throws {
        for await message in connection.messages {
            switch message {
            case .text("bye"): return await connection.close(.policyViolation, reason: "bye")
            case .text(let text): try await connection.send(text: text)
            case .binary(let data): try await connection.send(binary: data)
            }
        }
    }

    /// Sends as many numbers as the query says, without reading.
    private static func count(_ connection: WebSocketConnection) async throws {
        connection.discardMessages()
        for number in 0..<(connection.request.query.flatMap { Int($0) } ?? 0) {
            try await connection.send(text: "\(number)")
        }
    }

    /// Reports when its messages end.
    private static func watch(_ connection: WebSocketConnection, _ end: AsyncStream<String>.Continuation) async {
        for await _ in connection.messages {}
        end.yield("ended")
    }

    /// Sends until the connection is gone.
    private static func flood(_ connection: WebSocketConnection, _ end: AsyncStream<String>.Continuation) async {
        let block = [UInt8](repeating: 0x61, count: 64 * 1024)
        do {
            while true { try await connection.send(binary: block) }
        } catch {
            end.yield("closed")
        }
    }
}

private struct NoPort: Error {}

private func require<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw NoPort() }
    return value
}
