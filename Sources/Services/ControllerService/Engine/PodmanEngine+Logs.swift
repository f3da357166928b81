import ConcurrencyPrimitives
import PodmanClient

extension PodmanEngine: PodLogSource {
    func lines(
        of pod: PodName, lines: Int?, follow: Bool
    ) async throws -> AsyncThrowingStream<String, any Error> {
        let chunks = try await translatingErrors {
            try await podman.logs(of: pod.text, LogSelection(tail: lines, follows: follow))
        }
        let reader = LineReader(chunks.makeAsyncIterator())
        // Pulls: a line is read from the engine only when the reader asks for it.
        return AsyncThrowingStream { try await reader.next() }
    }
}

/// Reads a pod's output line by line.
private actor LineReader {
    private var chunks: OutputChunks.AsyncIterator
    private var splitter = OutputLines()
    private var ready: [String] = []
    private var hasEnded = false

    init(_ chunks: OutputChunks.AsyncIterator) { self.chunks = chunks }

    func next() async throws -> String? {
        while ready.isEmpty, !hasEnded {
            var source = chunks
            let chunk = try await source.next()
            chunks = source
            guard let chunk else {
                hasEnded = true
                ready = splitter.finish().reversed()
                break
            }
            ready = splitter.consume(chunk).reversed()
        }
        return ready.popLast()
    }
}
