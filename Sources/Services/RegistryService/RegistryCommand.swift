import NIOCore
import OCIRegistry
import ObjectStorage
import ServiceRuntime

/// The registry's command line: `registry [serve]`, `registry verify`, `registry collect` and `registry explain`.
package enum RegistryCommand {
    /// Runs a command and ends the process.
    ///
    /// - Parameter arguments: without the program's name.
    package static func run(_ arguments: [String]) async -> Never {
        switch arguments {
        case [], ["serve"]:
            // A loop reads from all its connections before it answers most of them. With two for each core the kernel
            // divides the turns more finely: 50 clients wait a fifth less; with four they wait longer again.
            NIOSingletons.groupLoopCountSuggestion = 2 * System.coreCount
            await ServiceProcess.run(name: "registry") { reader, process in
                let configuration = RegistryConfiguration(reader: &reader)
                try reader.validate()
                return try await makeRegistry(configuration, process: process)
            }
        case ["verify"]:
            await ServiceProcess.command(name: "registry") { reader, _ in
                let settings = StorageSettings(reader: &reader)
                try reader.validate()
                try await verify(settings)
            }
        case ["collect"], ["collect", "--dry-run"]:
            await ServiceProcess.command(name: "registry") { reader, process in
                let command = CollectCommand(reader: &reader, logger: process.logger)
                try reader.validate()
                try await command.run(isDryRun: arguments.last == "--dry-run")
            }
        default:
            await explainOrRefuse(arguments)
        }
    }

    private static func explainOrRefuse(_ arguments: [String]) async -> Never {
        await ServiceProcess.command(name: "registry") { reader, _ in
            guard arguments.count == 2, arguments.first == "explain", let text = arguments.last else {
                throw CommandFailure(
                    description: "usage: registry [serve | verify | collect [--dry-run] | explain DIGEST]")
            }
            let settings = StorageSettings(reader: &reader)
            try reader.validate()
            for line in try await explain(try ImageDigest(text), settings) { print(line) }
        }
    }

    private static func verify(_ settings: StorageSettings) async throws {
        let report: VerificationReport
        if let bucket = try await settings.openBucket(grace: .seconds(3600)) {
            report = try await BucketVerification(storage: bucket).run { print("damaged \($0)") }
        } else if case .folder(let root) = settings.place {
            report = try StorageVerification(layout: StorageLayout(root: root)).run { print("damaged \($0)") }
        } else {
            return
        }
        for line in report.broken { print(line) }
        print("\(report.checked) pieces of content, \(report.bytes) bytes read")
        guard report.isGood else {
            throw CommandFailure(
                description: "\(report.damaged.count) pieces of content are damaged and \(report.broken.count) "
                    + "entries of repositories are affected; push the images again to repair them")
        }
    }

    /// Who holds a digest, a line each. Only reads, so it may run beside a serving registry.
    private static func explain(_ digest: ImageDigest, _ settings: StorageSettings) async throws -> [String] {
        var explanation = Explanation(of: digest)
        if let bucket = try await settings.openBucket(grace: .seconds(3600)) {
            for name in try await bucket.catalog() {
                explanation.add(try await bucket.snapshot(of: bucket.listing(of: name), readingTags: true))
            }
        } else if case .folder(let root) = settings.place {
            let metadata = RepositoryFiles(layout: StorageLayout(root: root), files: FileTree(isDurable: false))
            for name in try metadata.repositories() { explanation.add(try metadata.snapshot(of: name)) }
        }
        return explanation.lines.isEmpty ? ["\(digest): no repository refers to it"] : explanation.lines
    }
}

/// Why a command did not do what it should.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String
}
