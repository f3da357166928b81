/// A command somebody wants to run in a pod that runs already.
struct PodCommand: Sendable, Equatable {
    let words: [String]
    /// Whether it gets a terminal; then everything it prints is standard output.
    var hasTerminal = false
    /// Whether somebody will type into it.
    var hasInput = false
}

/// A running command's input and output.
///
/// A description by closures, because the one that reads and the one that writes are different tasks.
struct PodCommandSession: Sendable {
    /// What it prints, as it comes; the reader holds the command back.
    let output: AsyncThrowingStream<PodOutput, any Error>
    let write: @Sendable ([UInt8]) async throws -> Void
    let finishInput: @Sendable () -> Void
    /// Tells the command's terminal its size.
    let resize: @Sendable (_ rows: Int, _ columns: Int) async throws -> Void
}

/// Some output of a command.
enum PodOutput: Sendable, Equatable {
    case standardOutput([UInt8])
    case standardError([UInt8])

    var bytes: [UInt8] {
        switch self {
        case .standardOutput(let bytes), .standardError(let bytes): bytes
        }
    }
}

/// Runs commands in pods.
protocol PodCommandRunner: Sendable {
    /// Runs a command in a pod and returns its exit code, or nil when it goes on after `body` has returned.
    ///
    /// - Throws: ``EngineError``: `.podNotFound`, `.refused` when the pod does not run or has no such command.
    func run(
        _ command: PodCommand, in pod: PodName, _ body: @escaping @Sendable (PodCommandSession) async throws -> Void
    ) async throws -> Int?
}
