import CommandRunner
import FoundationEssentials
import Logging
import ServiceHTTP
import Synchronization

/// How an imagebuilder ended.
enum BuildOutcome: Sendable, Equatable {
    case built(BuildResult)
    case failed(phase: String, reason: String, hint: String?)
    /// Storage or registry could not be reached: try again later.
    case temporary
    /// The process died without a word.
    case died(String)
}

/// Runs one imagebuilder as a child process.
struct ImageBuilderProcess: Sendable {
    let program: String
    /// The variables the child inherits, with their values.
    let environment: [String: String]
    let logger: Logger

    private struct Said {
        var phase = "source"
        var result: BuildResult?
        var failure: BuildEvent?
        var lastError = ""
    }

    /// Runs the job to its end, forwarding what it says.
    ///
    /// Cancellation ends the child's whole process group: SIGTERM, ten seconds, SIGKILL.
    func run(_ job: BuildJob, reporter: RunReporter) async throws -> BuildOutcome {
        let input = try JSONCoding.encoder.encode(job)
        let command = Command(
            program, [], environment: environment, workingDirectory: job.workDirectory, standardInput: Array(input),
            deadline: .seconds(job.timeoutSeconds + 60), grace: .seconds(10))
        let said = Mutex(Said())
        let exit: CommandExit
        do {
            exit = try await CommandRunner.stream(command) { line in
                switch line.source {
                case .error:
                    said.withLock { $0.lastError = line.text }
                    logger.debug("imagebuilder", metadata: ["line": "\(line.text)"])
                case .output: try await take(line.text, said, reporter)
                }
            }
        } catch let error as CommandError where error.code == .deadline {
            return .failed(phase: "build", reason: "The build took longer than \(job.timeoutSeconds) s.", hint: nil)
        }
        return outcome(exit, said.withLock { $0 })
    }

    private func take(_ line: String, _ said: borrowing Mutex<Said>, _ reporter: RunReporter) async throws {
        guard let event = event(line) else {
            let phase = said.withLock { $0.phase }
            return try await reporter.line(phase: phase, text: line)
        }
        switch event.event {
        case "line":
            let phase = event.phase ?? "build"
            said.withLock { $0.phase = phase }
            try await reporter.line(phase: phase, text: event.text ?? "")
        case "phase":
            try await reporter.phase(event.phase ?? "build", text: event.text ?? "", seconds: event.seconds ?? 0)
        case "result":
            let result = try JSONCoding.decoder.decode(BuildResult.self, from: Data(line.utf8))
            said.withLock { $0.result = result }
        case "failed": said.withLock { $0.failure = event }
        default: break
        }
    }

    /// A line that is not JSON counts as output of the build.
    private func event(_ line: String) -> BuildEvent? {
        do {
            return try JSONCoding.decoder.decode(BuildEvent.self, from: Data(line.utf8))
        } catch {
            return nil
        }
    }

    private func outcome(_ exit: CommandExit, _ said: Said) -> BuildOutcome {
        switch exit {
        case .code(0):
            if let result = said.result { return .built(result) }
            return .died("imagebuilder ended without a result")
        case .code(75): return .temporary
        case .code(2):
            return .failed(
                phase: said.phase, reason: said.lastError.isEmpty ? "imagebuilder is not set up" : said.lastError,
                hint: "Tell the operator of this platform.")
        case .code(1):
            guard let failure = said.failure else { return .died("imagebuilder failed: \(said.lastError)") }
            return .failed(
                phase: failure.phase ?? said.phase, reason: failure.reason ?? "The build failed.", hint: failure.hint)
        default: return .died("imagebuilder ended with \(exit)")
        }
    }
}
