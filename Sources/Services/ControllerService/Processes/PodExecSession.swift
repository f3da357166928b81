import ConcurrencyPrimitives
import NIOCore
import PlatformModel
import Postgres
import ServiceHTTP
import WebSocketServer

/// Runs a command in a pod over a websocket, in the channel framing of Kubernetes that the command line speaks.
///
/// The client's first text frame says what to run. After it the first byte of every frame names a channel.
struct PodExecSession: Sendable {
    private static let requestTimeout = Duration.seconds(30)
    /// A forgotten shell is closed after this long.
    private static let longest = Duration.seconds(3600)
    /// A client without input reads a single frame, so all it sees of the output has to fit into one.
    private static let frameLimit = 1 << 20

    let database: PostgresPool
    /// Nil when this process was set up without an engine.
    let runner: (any PodCommandRunner)?

    /// `{"tty": true, "stdin": true, "command": ["bash"]}`
    struct Request: Sendable, Equatable {
        let command: PodCommand

        /// - Returns: nil for a text that is no such object.
        init?(_ text: String) {
            guard let value = JSONCoding.value(of: text), let words = value["command"]?.strings,
                let first = words.first, !first.isEmpty, !words.contains(where: { $0.utf8.contains(0) })
            else { return nil }
            command = PodCommand(
                words: words, hasTerminal: value["tty"]?.boolValue ?? false,
                hasInput: value["stdin"]?.boolValue ?? false)
        }
    }

    /// The two directions of one connection.
    private struct Client: Sendable {
        let connection: WebSocketConnection
        /// What it sends, as bytes whatever the kind of frame.
        let frames = BoundedChannel<[UInt8]>(limit: 1)

        func send(_ frame: [UInt8]) async throws(WebSocketError) { try await connection.send(binary: frame) }
    }

    func serve(_ connection: WebSocketConnection, app: App, pod: String) async throws {
        let client = Client(connection: connection)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                for await message in connection.messages { await client.frames.send(message.bytes) }
                client.frames.finish()
                return false
            }
            group.addTask {
                try await serve(client, app: app, pod: pod)
                return true
            }
            defer { group.cancelAll() }
            while let isServed = try await group.next() {
                if isServed { return }
            }
        }
    }

    private func serve(_ client: Client, app: App, pod: String) async throws {
        guard let request = try await firstRequest(client) else {
            await client.connection.close(.invalidPayload, reason: "a JSON object with a command is expected first")
            return
        }
        do {
            try await withDeadline(Self.longest) {
                try await run(request.command, client, app: app, pod: pod)
            }
        } catch let error as EngineError {
            try await client.send(ExecFrame.standardError(Array("\(error.message)\n".utf8)))
        } catch let error as DeadlineExceeded {
            try await client.send(ExecFrame.failure("The session is over: \(error)."))
        }
    }

    private func firstRequest(_ client: Client) async throws -> Request? {
        let first = try await withDeadline(Self.requestTimeout) {
            for try await frame in client.frames { return frame as [UInt8]? }
            return nil
        }
        return first.flatMap { String(validating: $0, as: UTF8.self) }.flatMap { Request($0) }
    }

    private func run(_ command: PodCommand, _ client: Client, app: App, pod: String) async throws {
        guard try await ObservedPodStore().find(pod, of: app.uuid, in: database) != nil else {
            throw EngineError(.podNotFound, "pod \(pod.prefix(100)) does not exist in application \(app.id)")
        }
        guard let runner else { throw EngineError(.unavailable, "this controller cannot run commands in pods") }
        let name = PodName(pod)
        if command.hasInput {
            let code = try await runner.run(command, in: name) { session in
                try await Self.talk(session, command, client)
            }
            try await client.send(ExecFrame.status(code))
        } else {
            client.connection.discardMessages()
            let collected = BoundedChannel<[UInt8]>(limit: 1)
            let code = try await runner.run(command, in: name) { session in
                await collected.send(try await Self.wholeOutput(of: session))
            }
            collected.finish()
            for try await frame in collected where frame.count > 1 || code == 0 {
                try await client.send(frame)
            }
            try await client.send(ExecFrame.status(code))
        }
    }

    /// Everything the command prints in one frame: on standard output, unless all of it went to standard error.
    private static func wholeOutput(of session: PodCommandSession) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        var hasOutput = false
        for try await chunk in session.output {
            if case .standardOutput = chunk { hasOutput = true }
            bytes += chunk.bytes.prefix(frameLimit - bytes.count)
            guard bytes.count < frameLimit else { break }
        }
        return hasOutput || bytes.isEmpty ? ExecFrame.standardOutput(bytes) : ExecFrame.standardError(bytes)
    }

    /// Passes both directions on until the command closes its outputs.
    private static func talk(
        _ session: PodCommandSession, _ command: PodCommand, _ client: Client
    ) async throws {
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                for try await chunk in session.output where !chunk.bytes.isEmpty {
                    try await client.send(ExecFrame.output(chunk))
                }
                return true
            }
            group.addTask {
                for try await frame in client.frames { try await pass(frame, to: session, command) }
                session.finishInput()
                return false
            }
            defer { group.cancelAll() }
            while let isOutput = try await group.next() {
                if isOutput { return }
            }
        }
    }

    private static func pass(_ frame: [UInt8], to session: PodCommandSession, _ command: PodCommand) async throws {
        switch ExecFrame.Channel(frame) {
        case .input?:
            if frame.count > 1 { try await session.write(Array(frame.dropFirst())) }
        case .resize?:
            guard command.hasTerminal, let size = ExecFrame.size(frame.dropFirst()) else { return }
            try await session.resize(size.rows, size.columns)
        case .output?, .errors?, .status?, nil: return
        }
    }
}

extension WebSocketMessage {
    /// What was sent, whatever the kind of frame.
    fileprivate var bytes: [UInt8] {
        switch self {
        case .text(let text): Array(text.utf8)
        case .binary(let buffer): Array(buffer: buffer)
        }
    }
}
