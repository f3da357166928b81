import Glibc
import Subprocess
import SystemPackage

extension CommandRunner {
    /// Runs a server until it ends by itself or the calling task is cancelled; its output is appended to a file.
    ///
    /// The command's deadline and output limit do not apply. The server leads a session of its own and writes to the
    /// file itself, so it goes on when this process is killed. On cancellation it gets `stopSignal`,
    /// and what is left of its process group after the command's grace gets SIGKILL.
    /// - Parameter onStart: called once with the server's identity, before the waiting begins.
    package static func runServer(
        _ command: Command, log path: String, stopSignal: Int32 = SIGTERM,
        onStart: @escaping @Sendable (ProcessIdentity) async throws -> Void
    ) async throws -> CommandExit {
        let log: FileDescriptor
        do {
            log = try FileDescriptor.open(
                FilePath(path), .writeOnly, options: [.append, .create, .closeOnExec],
                permissions: [.ownerReadWrite, .groupRead])
        } catch {
            throw CommandError(code: .notStarted, program: name(of: command), detail: "its log \(path): \(error)")
        }
        defer { closeLog(log) }
        var configuration = configuration(for: command)
        let teardown: [TeardownStep] = [
            .send(
                signal: Signal(rawValue: stopSignal), toProcessGroup: false, allowedDurationToNextStep: command.grace),
            .send(signal: .kill, toProcessGroup: true, allowedDurationToNextStep: .seconds(1)),
        ]
        configuration.platformOptions.teardownSequence = teardown
        do {
            let output = FileDescriptorOutput.fileDescriptor(log, closeAfterSpawningProcess: false)
            let result = try await Subprocess.run(configuration, input: .none, output: output, error: output) {
                execution in
                guard let identity = ProcessIdentity(pid: execution.processIdentifier.value) else { return }
                do {
                    try await onStart(identity)
                    try await identity.waitForExit()
                } catch {
                    await execution.teardown(using: teardown)
                    throw error
                }
            }
            switch result.terminationStatus {
            case .exited(let code): return .code(code)
            case .signaled(let signal): return .signal(signal)
            }
        } catch let error as SubprocessError {
            throw translated(error, command)
        }
    }

    private static func closeLog(_ log: FileDescriptor) {
        do {
            try log.close()
        } catch {
            // Nothing was written through this descriptor by us; the server has its own.
        }
    }
}
