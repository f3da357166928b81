import OCIRegistry
import ServiceRuntime

/// The registry's command line: `registry [serve]` and `registry verify`.
package enum RegistryCommand {
    /// Runs a command and ends the process.
    ///
    /// - Parameter arguments: without the program's name.
    package static func run(_ arguments: [String]) async -> Never {
        switch arguments {
        case [], ["serve"]:
            await ServiceProcess.run(name: "registry") { reader, process in
                let configuration = RegistryConfiguration(reader: &reader)
                try reader.validate()
                return try await makeRegistry(configuration, process: process)
            }
        case ["verify"]:
            await ServiceProcess.command(name: "registry") { reader, _ in
                let settings = StorageSettings(reader: &reader)
                try reader.validate()
                guard case .folder(let root) = settings.place else {
                    throw Failure(description: "verify reads folders; an s3:// service checks its own objects")
                }
                try verify(root)
            }
        default:
            await ServiceProcess.command(name: "registry") { _, _ in
                throw Failure(description: "usage: registry [serve | verify]")
            }
        }
    }

    private static func verify(_ root: String) throws {
        let report = try StorageVerification(layout: StorageLayout(root: root)).run { digest in
            print("damaged \(digest)")
        }
        for line in report.broken { print(line) }
        print("\(report.checked) pieces of content, \(report.bytes) bytes read")
        guard report.isGood else {
            throw Failure(
                description: "\(report.damaged.count) pieces of content are damaged and \(report.broken.count) "
                    + "entries of repositories are affected; push the images again to repair them")
        }
    }

    private struct Failure: Error, CustomStringConvertible {
        let description: String
    }
}
