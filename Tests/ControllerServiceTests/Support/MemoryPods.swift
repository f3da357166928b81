@testable import ControllerService

/// Pods that have written what a test says, and run three commands: `cat`, `fail` and `quiet`.
struct MemoryPods: PodLogSource, PodCommandRunner {
    var written: [PodName: [String]] = [:]

    func lines(of pod: PodName, lines: Int?, follow: Bool) async throws -> AsyncThrowingStream<String, any Error> {
        guard let all = written[pod] else { throw EngineError(.podNotFound, "There is no such pod.") }
        let wanted = lines.map { Array(all.suffix($0)) } ?? all
        return AsyncThrowingStream { continuation in
            for line in wanted { continuation.yield(line) }
            continuation.finish()
        }
    }

    func run(
        _ command: PodCommand, in pod: PodName, _ body: @escaping @Sendable (PodCommandSession) async throws -> Void
    ) async throws -> Int? {
        guard written[pod] != nil else { throw EngineError(.podNotFound, "There is no such pod.") }
        let (output, continuation) = AsyncThrowingStream.makeStream(of: PodOutput.self)
        switch command.words.first {
        case "fail":
            continuation.yield(.standardOutput(Array("one\n".utf8)))
            continuation.yield(.standardError(Array("two\n".utf8)))
            continuation.finish()
        case "cat": break
        default: continuation.finish()
        }
        try await body(
            PodCommandSession(
                output: output, write: { continuation.yield(.standardOutput($0)) },
                finishInput: { continuation.finish() },
                resize: { rows, columns in
                    continuation.yield(.standardOutput(Array("\(rows)x\(columns)".utf8)))
                }))
        return command.words.first == "fail" ? 3 : 0
    }
}
