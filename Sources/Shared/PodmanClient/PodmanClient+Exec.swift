package import ConcurrencyPrimitives
import CurlTransfer
import HTTPTypes
import NIOCore
import NIOPosix

/// What shall be run inside a running container.
package struct ExecSpecification: Encodable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case command = "Cmd"
        case hasTerminal = "Tty"
        case hasInput = "AttachStdin"
        case environment = "Env"
        case user = "User"
        case hasOutput = "AttachStdout"
        case hasErrors = "AttachStderr"
        case workingDirectory = "WorkingDir"
    }

    package var command: [String]
    package var hasTerminal: Bool
    package var hasInput: Bool
    /// `NAME=value`.
    package var environment: [String]
    package var user: String?
    package var workingDirectory: String?
    private let hasOutput = true
    private let hasErrors = true

    package init(
        command: [String], hasTerminal: Bool = false, hasInput: Bool = false, environment: [String] = [],
        user: String? = nil, workingDirectory: String? = nil
    ) {
        self.command = command
        self.hasTerminal = hasTerminal
        self.hasInput = hasInput
        self.environment = environment
        self.user = user
        self.workingDirectory = workingDirectory
    }
}

/// A running command's input and output, for as long as the closure it was lent to runs.
package struct ExecSession: Sendable {
    let client: PodmanClient
    let id: String
    /// What the command prints, until it closes its outputs; with a terminal everything is standard output. The reader
    /// holds the command back: 64 chunks wait at most.
    package let output: BoundedChannel<OutputChunk>
    let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>

    /// Sends bytes to the command's standard input.
    package func write(_ bytes: [UInt8]) async throws {
        try await outbound.write(ByteBuffer(bytes: bytes))
    }

    /// Closes the command's standard input; its output goes on.
    package func finishInput() { outbound.finish() }

    /// Tells the command's terminal its size.
    package func resize(rows: Int, columns: Int) async throws {
        _ = try await client.call(
            .post, "exec/\(id)/resize", query: [QueryItem("h", rows), QueryItem("w", columns)])
    }
}

extension PodmanClient {
    /// Runs a command in a container and returns its exit code once it has ended and `body` has returned.
    ///
    /// `body` talks to the command. When it returns before the command ends, the connection closes: a command with
    /// input sees the end of it, and its exit code is reported if it ends within a second, else nil.
    /// - Throws: ``PodmanError``: `.notFound`, `.wrongState` when the container does not run,
    ///   `.failed` when the command cannot be started.
    package func withExec(
        in container: String, _ specification: ExecSpecification,
        _ body: @escaping @Sendable (ExecSession) async throws -> Void
    ) async throws -> Int? {
        struct Created: Decodable {
            private enum CodingKeys: String, CodingKey { case id = "Id" }
            let id: String
        }
        let response = try await call(.post, "containers/\(container.percentEncoded)/exec", json: specification)
        let id = try decode(Created.self, from: response).id
        try await attach(to: id, hasTerminal: specification.hasTerminal, body)
        return try await exitCode(of: id)
    }

    /// Runs a command without input and returns its output, cut at `limit` bytes, and its exit code.
    package func exec(
        in container: String, command: [String], user: String? = nil, limit: Int = 1024 * 1024
    ) async throws -> (output: [UInt8], exitCode: Int?) {
        let collected = BoundedChannel<[UInt8]>(limit: 1)
        let code = try await withExec(in: container, ExecSpecification(command: command, user: user)) { session in
            var bytes: [UInt8] = []
            for try await chunk in session.output where bytes.count < limit {
                bytes += chunk.bytes.prefix(limit - bytes.count)
            }
            await collected.send(bytes)
        }
        collected.finish()
        for try await bytes in collected { return (bytes, code) }
        return ([], code)
    }

    private func exitCode(of id: String) async throws -> Int? {
        struct Inspection: Decodable {
            private enum CodingKeys: String, CodingKey {
                case exitCode = "ExitCode"
                case isRunning = "Running"
            }
            let exitCode: Int
            let isRunning: Bool
        }
        // podman closes the connection a moment before it records the exit code, and tells no event for it.
        for wait in Backoff(initial: .milliseconds(5), limit: .milliseconds(200), factor: 2, jitter: 0).prefix(10) {
            let inspection = try await decoded(.get, "exec/\(id)/json", as: Inspection.self)
            if !inspection.isRunning { return inspection.exitCode }
            try await Task.sleep(for: wait)
        }
        return nil
    }

    /// Takes the connection over from HTTP, which libcurl cannot do, so it is opened here.
    private func attach(
        to id: String, hasTerminal: Bool, _ body: @escaping @Sendable (ExecSession) async throws -> Void
    ) async throws {
        let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
        do {
            channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .connectTimeout(.seconds(5))
                .connect(unixDomainSocketPath: socket) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel(
                            wrappingChannelSynchronously: channel,
                            configuration: .init(isOutboundHalfClosureEnabled: true))
                    }
                }
        } catch {
            throw PodmanError(.unreachable, message: "\(error)")
        }
        try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: Self.startRequest(id, hasTerminal: hasTerminal)))
            let output = BoundedChannel<OutputChunk>(limit: 64)
            let session = ExecSession(client: self, id: id, output: output, outbound: outbound)
            try await withThrowingTaskGroup(of: Bool.self) { group in
                let (accepted, acceptance) = AsyncThrowingStream.makeStream(of: Void.self)
                group.addTask {
                    await Self.pump(inbound, to: output, hasTerminal: hasTerminal, acceptance)
                    return false
                }
                group.addTask {
                    for try await _ in accepted { break }
                    try Task.checkCancellation()
                    try await body(session)
                    return true
                }
                defer { group.cancelAll() }
                while let isBody = try await group.next() {
                    if isBody { break }
                }
            }
        }
    }

    private static func startRequest(_ id: String, hasTerminal: Bool) -> String {
        let body = "{\"Detach\":false,\"Tty\":\(hasTerminal)}"
        return "POST /v4.3.1/libpod/exec/\(id)/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
            + "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    }

    /// Reads the answer's head, then passes the output on until the command closes it.
    private static func pump(
        _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>, to output: BoundedChannel<OutputChunk>, hasTerminal: Bool,
        _ acceptance: AsyncThrowingStream<Void, any Error>.Continuation
    ) async {
        var answer = UpgradeAnswer()
        var frames = LogFrames()
        do {
            for try await buffer in inbound {
                let bytes = try answer.consume(Array(buffer: buffer))
                if answer.isAccepted { acceptance.finish() }
                guard !bytes.isEmpty else { continue }
                let chunks =
                    hasTerminal ? [OutputChunk(stream: .standardOutput, bytes: bytes)] : try frames.consume(bytes)
                for chunk in chunks { await output.send(chunk) }
            }
            try answer.finish()
            acceptance.finish()
            output.finish()
        } catch {
            acceptance.finish(throwing: error)
            output.finish(throwing: error)
        }
    }
}

/// The head of the answer to a request to take a connection over.
struct UpgradeAnswer {
    private var head: [UInt8] = []
    private(set) var isAccepted = false
    private var refusal: Int?

    /// Returns the bytes that belong to the taken-over connection.
    mutating func consume(_ bytes: [UInt8]) throws(PodmanError) -> [UInt8] {
        if isAccepted { return bytes }
        head += bytes
        guard head.count < 65536 else {
            throw PodmanError(.invalidResponse, message: "podman's answer has no end of its head.")
        }
        guard refusal == nil, let end = head.firstRange(of: Array("\r\n\r\n".utf8)) else { return [] }
        let words = String(decoding: head[..<end.lowerBound], as: UTF8.self).split(separator: " ", maxSplits: 2)
        let status = words.count > 1 ? Int(words[1]) ?? 0 : 0
        let rest = Array(head[end.upperBound...])
        guard status == 101 || status == 200 else {
            refusal = status
            head = rest
            if !rest.isEmpty { throw PodmanClient.failure(status, rest) }
            return []
        }
        isAccepted = true
        head = []
        return rest
    }

    /// The connection ended.
    func finish() throws(PodmanError) {
        if let refusal { throw PodmanClient.failure(refusal, head) }
        guard isAccepted else { throw PodmanError(.unreachable, message: "podman closed the connection.") }
    }
}
