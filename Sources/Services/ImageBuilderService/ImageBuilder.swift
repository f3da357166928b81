import CSystemCalls
import CommandRunner
import ConcurrencyPrimitives
import FoundationEssentials
import Glibc
import Logging
import ServiceRuntime
import UnixSignals

/// The one-shot process: a job on standard input, events on standard output, an exit status.
package enum ImageBuilder {
    /// Exit statuses of services/imagebuilder/PROTOCOL.md.
    private enum Status: Int32 {
        case done = 0
        case failed = 1
        case unusable = 2
        case temporary = 75
        case stopped = 143
    }

    package static func main() async -> Never {
        signal(SIGPIPE, SIG_IGN)
        // A builder that is killed must not leave builds behind.
        syscalls_parent_death_signal(SIGTERM)
        exit(await run().rawValue)
    }

    private static func run() async -> Status {
        do {
            var reader = try await ConfigurationReader()
            let logging = LoggingConfiguration(reader: &reader)
            let configuration = ImageBuilderConfiguration(reader: &reader)
            try reader.validate()
            LoggingSystem.bootstrap { LineLogHandler(label: $0, configuration: logging) }
            if ProcessInfo.processInfo.arguments.dropFirst().first == "prune" {
                return try await prune(configuration)
            }
            let job = try BuildJob.read(try readInput())
            let build = ImageBuild(
                job: job, configuration: configuration, events: EventWriter(), logger: Logger(label: "imagebuilder"))
            return await run(build)
        } catch {
            report("\(error)")
            return .unusable
        }
    }

    /// Makes the layer cache as small as it is configured to be, and tells what was done in one line.
    private static func prune(_ configuration: ImageBuilderConfiguration) async throws -> Status {
        let buildah = Buildah(
            configuration: configuration, workDirectory: FileManager.default.currentDirectoryPath,
            deadline: .seconds(120))
        let outcome = try await CachePrune(
            buildah: buildah, policy: configuration.cache, logger: Logger(label: "imagebuilder")
        ).run()
        try EventWriter().write(outcome)
        return .done
    }

    /// Runs the build until it ends, its time is over, or a signal asks us to stop.
    private static func run(_ build: ImageBuild) async -> Status {
        await withTaskGroup(of: Status.self) { group in
            group.addTask { await outcome(of: build) }
            group.addTask {
                let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
                for await _ in signals { break }
                return .stopped
            }
            let first = await group.next() ?? .stopped
            group.cancelAll()
            // The build ends its child processes before it returns.
            await group.waitForAll()
            await endSteps(of: build)
            return first
        }
    }

    /// A buildah that is ended may leave its step at the container runtime, in a container of its own.
    private static func endSteps(of build: ImageBuild) async {
        for runtime in OCIRuntime.all {
            for step in runtime.containers(below: build.job.workDirectory) {
                do {
                    _ = try await runtime.delete(step, force: true)
                } catch {
                    // The builder looks for abandoned steps as well.
                    report("step \(step.id) could not be ended: \(error)")
                }
            }
        }
    }

    private static func outcome(of build: ImageBuild) async -> Status {
        do {
            do {
                let result = try await withDeadline(.seconds(build.job.timeoutSeconds)) { try await build.run() }
                try build.events.write(.result(result))
                return .done
            } catch is DeadlineExceeded {
                throw BuildFailure(
                    .build, "The build took longer than \(build.job.timeoutSeconds) seconds and was stopped.",
                    hint: "Make the build faster, or ask the operator for a longer limit.")
            }
        } catch let failure as BuildFailure {
            return write(failure, to: build.events)
        } catch let failure as TemporaryFailure {
            report("\(failure)")
            return .temporary
        } catch is CancellationError {
            return .stopped
        } catch is EventWriter.Closed {
            return .stopped
        } catch {
            report("\(error)")
            return .unusable
        }
    }

    private static func write(_ failure: BuildFailure, to events: EventWriter) -> Status {
        do {
            try events.write(.failed(failure))
            return .failed
        } catch {
            return .stopped
        }
    }

    private static func readInput() throws -> [UInt8] {
        var input: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = buffer.withUnsafeMutableBytes { read(STDIN_FILENO, $0.baseAddress, $0.count) }
            guard count > 0 else { return input }
            input += buffer.prefix(count)
            guard input.count <= 1 << 20 else { throw UnusableJob(detail: "the job on standard input is over 1 MiB") }
        }
    }

    private static func report(_ message: String) {
        let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        let bytes = Array("imagebuilder: \(line)\n".utf8)
        // The exit status still tells when even this line cannot be written.
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}
