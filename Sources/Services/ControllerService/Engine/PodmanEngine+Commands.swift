import ConcurrencyPrimitives
import PodmanClient

extension PodmanEngine: PodCommandRunner {
    func run(
        _ command: PodCommand, in pod: PodName, _ body: @escaping @Sendable (PodCommandSession) async throws -> Void
    ) async throws -> Int? {
        let specification = ExecSpecification(
            command: command.words, hasTerminal: command.hasTerminal, hasInput: command.hasInput)
        return try await translatingErrors {
            try await podman.withExec(in: pod.text, specification) { session in
                try await body(PodCommandSession(session))
            }
        }
    }
}

extension PodCommandSession {
    fileprivate init(_ session: ExecSession) {
        let reader = OutputReader(session.output.makeAsyncIterator())
        self.init(
            output: AsyncThrowingStream { try await reader.next() },
            write: { try await session.write($0) },
            finishInput: { session.finishInput() },
            resize: { try await session.resize(rows: $0, columns: $1) })
    }
}

/// Hands a command's output on, chunk by chunk.
private actor OutputReader {
    private var chunks: BoundedChannel<OutputChunk>.AsyncIterator

    init(_ chunks: BoundedChannel<OutputChunk>.AsyncIterator) { self.chunks = chunks }

    func next() async throws -> PodOutput? {
        var source = chunks
        let chunk = try await source.next()
        chunks = source
        return chunk.map { chunk in
            chunk.stream == .standardError ? .standardError(chunk.bytes) : .standardOutput(chunk.bytes)
        }
    }
}
