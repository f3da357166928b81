import ConcurrencyPrimitives
import Subprocess
import SystemPackage

/// Runs other programs: argument arrays, explicit environment, bounded output, a deadline, and no orphans.
///
/// Each program leads a session of its own. When the deadline passes or the calling task is cancelled,
/// its process group gets SIGTERM and, after the command's grace, SIGKILL.
package enum CommandRunner {
    /// Runs `command` to its end and keeps its output.
    ///
    /// - Throws: ``CommandError``; `CancellationError` when the caller was cancelled. A non-zero exit is not an error.
    package static func run(_ command: Command) async throws -> CommandResult {
        try await execute(command) { execution in
            async let output = collect(execution.standardOutput, of: command)
            async let errors = collect(execution.standardError, of: command)
            return try await (output, errors)
        }.map { exit, collected in
            CommandResult(exit: exit, standardOutput: collected.0, standardError: collected.1)
        }
    }

    /// Runs `command` like ``run(_:)`` and makes any exit but zero an error that quotes the last lines it wrote.
    @discardableResult
    package static func check(_ command: Command) async throws -> CommandResult {
        let result = try await run(command)
        guard result.exit.isSuccess else {
            let said = result.errorText.isEmpty ? result.text : result.errorText
            let tail = said.split(whereSeparator: \.isNewline).suffix(5).joined(separator: "\n")
            throw CommandError(
                code: .failed, program: name(of: command),
                detail: tail.isEmpty ? "\(result.exit)" : "\(result.exit): \(tail)")
        }
        return result
    }

    /// Runs `command` and hands over its lines as they come; the program waits while `onLine` does.
    ///
    /// Lines of the two streams keep their order within each stream. Invalid UTF-8 is replaced, lines longer than
    /// 64 KiB are cut into pieces.
    package static func stream(
        _ command: Command, onLine: @escaping @Sendable (CommandLine) async throws -> Void
    ) async throws -> CommandExit {
        try await execute(command) { execution in
            async let output: Void = forward(execution.standardOutput, as: .output, to: onLine)
            async let errors: Void = forward(execution.standardError, as: .error, to: onLine)
            _ = try await (output, errors)
        }.exit
    }

    private typealias Running = Execution<CustomWriteInput, SequenceOutput, SequenceOutput>

    private struct Ended<Value: Sendable>: Sendable {
        let exit: CommandExit
        let value: Value

        func map<Result>(_ transform: (CommandExit, Value) -> Result) -> Result { transform(exit, value) }
    }

    private static func execute<Value: Sendable>(
        _ command: Command, body: @escaping @Sendable (Running) async throws -> Value
    ) async throws -> Ended<Value> {
        let configuration = configuration(for: command)
        do {
            return try await withDeadline(command.deadline) {
                let result = try await Subprocess.run(
                    configuration, input: .inputWriter, output: .sequence, error: .sequence
                ) { execution in
                    async let fed: Void = feed(command.standardInput, to: execution.standardInputWriter)
                    do {
                        let value = try await body(execution)
                        await fed
                        return value
                    } catch {
                        await execution.teardown(using: configuration.platformOptions.teardownSequence)
                        throw error
                    }
                }
                let value = result.closureResult
                switch result.terminationStatus {
                case .exited(let code): return Ended(exit: .code(code), value: value)
                case .signaled(let signal): return Ended(exit: .signal(signal), value: value)
                }
            }
        } catch let error as DeadlineExceeded {
            throw CommandError(code: .deadline, program: name(of: command), detail: "\(error); it was stopped")
        } catch let error as SubprocessError {
            throw translated(error, command)
        }
    }

    /// Writes the whole input.
    /// A program may end, or close its input, before it has read everything: that is its affair.
    private static func feed(_ bytes: [UInt8], to writer: StandardInputWriter) async {
        do {
            if !bytes.isEmpty { _ = try await writer.write(bytes) }
        } catch {
            // The exit status tells whether the program missed anything.
        }
        do {
            try await writer.finish()
        } catch {
            // The pipe is closed either way.
        }
    }

    static func configuration(for command: Command) -> Configuration {
        var options = PlatformOptions()
        options.createSession = true
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: command.grace),
            .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1)),
        ]
        var variables: [Environment.Key: String] = [:]
        for (name, value) in command.environment { variables[Environment.Key(stringLiteral: name)] = value }
        var program = command.executable
        var arguments = command.arguments
        if let identity = command.identity {
            // A program changes the identity, not the child between fork and exec: there glibc's setgroups waits for
            // threads of ours that the child does not have, and holds the lock every other start needs.
            let options = [
                "--reuid", "\(identity.user)", "--regid", "\(identity.group)", "--groups", "\(identity.group)",
            ]
            arguments = options + ["--", program] + arguments
            program = "/usr/bin/setpriv"
        }
        return Configuration(
            executable: program.contains("/") ? .path(FilePath(program)) : .name(program),
            arguments: Arguments(arguments),
            environment: .custom(variables),
            workingDirectory: command.workingDirectory.map { FilePath($0) },
            platformOptions: options)
    }

    static func translated(_ error: SubprocessError, _ command: Command) -> any Error {
        let program = name(of: command)
        switch error.code {
        case .executableNotFound:
            return CommandError(code: .notFound, program: program, detail: "there is no such program on this machine")
        case .spawnFailed, .failedToChangeWorkingDirectory:
            return CommandError(code: .notStarted, program: program, detail: "cannot be started: \(error)")
        default:
            return Task.isCancelled
                ? CancellationError() : CommandError(code: .failed, program: program, detail: "\(error)")
        }
    }

    static func name(of command: Command) -> String {
        String(command.executable.split(separator: "/").last ?? "command")
    }

    private static func collect(_ output: SubprocessOutputSequence, of command: Command) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await buffer in output {
            buffer.withUnsafeBytes { bytes.append(contentsOf: $0) }
            guard bytes.count <= command.outputLimit else {
                throw CommandError(
                    code: .tooMuchOutput, program: name(of: command),
                    detail: "wrote more than \(command.outputLimit) bytes and was stopped")
            }
        }
        return bytes
    }

    private static func forward(
        _ output: SubprocessOutputSequence, as source: CommandLine.Source,
        to onLine: @Sendable (CommandLine) async throws -> Void
    ) async throws {
        var splitter = LineSplitter(limit: 64 << 10)
        for try await buffer in output {
            let lines = buffer.withUnsafeBytes { splitter.add($0) }
            for line in lines { try await onLine(CommandLine(source: source, text: line)) }
        }
        if let rest = splitter.finish() { try await onLine(CommandLine(source: source, text: rest)) }
    }
}
