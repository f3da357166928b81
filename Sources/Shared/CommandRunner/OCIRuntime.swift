import FoundationEssentials

/// A container runtime, which keeps a record of each container until it is told to delete it: those whose monitor was
/// killed stay on record, with their control group, when their process is long gone.
///
/// State of runc 1.1 and crun 1.8 run by root.
package struct OCIRuntime: Sendable {
    /// The runtimes podman and buildah use on Debian.
    package static let all = [
        OCIRuntime(program: "runc", folder: "/run/runc", file: "state.json"),
        OCIRuntime(program: "crun", folder: "/run/crun", file: "status"),
    ]

    /// A container the runtime has on record.
    package struct Container: Sendable {
        package let id: String
        /// The container's first process, which may be gone.
        package let processID: Int32
    }

    package let program: String
    private let folder: String
    private let file: String

    /// The containers whose bundle or root is below a folder.
    package func containers(below place: String) -> [Container] {
        let ids: [String]
        do {
            ids = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            // A runtime that was never used has no state.
            return []
        }
        return ids.compactMap { id in
            do {
                let record = try Data(contentsOf: URL(filePath: "\(folder)/\(id)/\(file)"))
                guard String(decoding: record, as: UTF8.self).contains("\(place)/") else { return nil }
                return Container(id: id, processID: try JSONDecoder().decode(Record.self, from: record).processID)
            } catch {
                // It was deleted meanwhile, or is no record of a container.
                return nil
            }
        }
    }

    /// Takes a container off the record; one that runs only by force, which ends it.
    package func delete(
        _ container: Container, force: Bool, environment: [String: String] = [:]
    ) async throws -> CommandResult {
        try await CommandRunner.run(
            Command(
                program, ["delete"] + (force ? ["--force"] : []) + [container.id], environment: environment,
                deadline: .seconds(20)))
    }

    /// What is wanted of a record of either runtime.
    private struct Record: Decodable {
        private enum CodingKeys: String, CodingKey {
            case runc = "init_process_pid"
            case crun = "pid"
        }

        private let runc: Int32?
        private let crun: Int32?

        var processID: Int32 { runc ?? crun ?? 0 }
    }
}
