import ConcurrencyPrimitives
import NIOCore
import PlatformModel
import Postgres
import ServiceHTTP
import WebSocketServer

/// Sends what a pod wrote over a websocket, in the frames the command line expects.
///
/// The client's first text frame says what it wants. Without `follow` the whole text goes out in one text frame;
/// with it chunks that end at line ends go out in binary frames until the log ends or the client leaves.
struct PodLogSession: Sendable {
    private static let requestTimeout = Duration.seconds(30)
    /// More than this is sent in several frames, so that a chatty pod cannot fill the memory.
    private static let frameLimit = 256 << 10

    let database: PostgresPool
    /// Nil when this process was set up without an engine.
    let source: (any PodLogSource)?

    /// `{"lines": 300, "follow": false, "container": "", "previous": false}`
    struct Request: Sendable, Equatable {
        let lines: Int?
        let isFollowing: Bool

        /// - Returns: nil for a text that is no JSON object.
        init?(_ text: String) {
            guard let value = JSONCoding.value(of: text), value.objectValue != nil else { return nil }
            lines = value["lines"]?.looseInteger.flatMap { $0 > 0 ? $0 : nil }
            isFollowing = value["follow"]?.boolValue ?? false
        }
    }

    func serve(_ connection: WebSocketConnection, app: App, pod: String) async throws {
        guard let request = try await firstRequest(connection) else {
            await connection.close(.invalidPayload, reason: "a JSON object is expected first")
            return
        }
        connection.discardMessages()
        let lines: AsyncThrowingStream<String, any Error>
        do {
            lines = try await open(app: app, pod: pod, request)
        } catch let error as EngineError {
            try await connection.send(text: "drycc[controller]: \(error.message)\n")
            return
        }
        if request.isFollowing {
            for try await line in lines { try await connection.send(binary: ByteBuffer(string: line + "\n")) }
        } else {
            try await sendWhole(lines, to: connection)
        }
    }

    private func firstRequest(_ connection: WebSocketConnection) async throws -> Request? {
        let message = try await withDeadline(Self.requestTimeout) {
            let iterator = connection.messages.makeAsyncIterator()
            return await iterator.next()
        }
        switch message {
        case .text(let text)?: return Request(text)
        case .binary(let buffer)?: return Request(String(buffer: buffer))
        case nil: return nil
        }
    }

    private func open(
        app: App, pod: String, _ request: Request
    ) async throws -> AsyncThrowingStream<String, any Error> {
        let known = try await ObservedPodStore().find(pod, of: app.uuid, in: database)
        guard known != nil else {
            throw EngineError(.podNotFound, "pod \(pod.prefix(100)) does not exist in application \(app.id)")
        }
        guard let source else { throw EngineError(.unavailable, "this controller cannot read the logs of pods") }
        return try await source.lines(of: PodName(pod), lines: request.lines, follow: request.isFollowing)
    }

    private func sendWhole(
        _ lines: AsyncThrowingStream<String, any Error>, to connection: WebSocketConnection
    ) async throws {
        var text = ""
        for try await line in lines {
            text += line + "\n"
            guard text.utf8.count >= Self.frameLimit else { continue }
            try await connection.send(text: text)
            text = ""
        }
        if !text.isEmpty { try await connection.send(text: text) }
    }
}
