import CommandRunner
import FoundationEssentials

/// Finds out by trying what container features this machine gives, and writes the configuration that follows from it.
///
/// Everything happens in folders of the caller; the machine's own container configuration is neither read nor changed.
package enum EngineHost {
    /// The storage drivers, best first.
    package enum StorageDriver: String, Sendable, CaseIterable {
        case overlay
        case fuseOverlay = "fuse-overlayfs"
        case vfs
    }

    /// What works here.
    package struct Report: Sendable, Hashable {
        package let runtime: String
        package let storageDriver: StorageDriver
        /// The hard limits of this process, which containers cannot exceed.
        package let openFiles: Int
        package let processes: Int
        /// One line for each thing that was tried and failed, for the operator.
        package let remarks: [String]

        package init(
            runtime: String, storageDriver: StorageDriver, openFiles: Int, processes: Int, remarks: [String] = []
        ) {
            self.runtime = runtime
            self.storageDriver = storageDriver
            self.openFiles = openFiles
            self.processes = processes
            self.remarks = remarks
        }
    }

    /// No combination of runtime and storage driver could run a container.
    package struct Unusable: Error, CustomStringConvertible {
        package let remarks: [String]

        package var description: String {
            "podman cannot run a container on this machine: " + remarks.joined(separator: "; ")
        }
    }

    /// Runs a tiny container with each combination of storage driver and runtime until one works.
    ///
    /// - Parameter directory: an existing folder on the file system that will hold the images; a folder in it is used
    ///   and removed. Takes one to five seconds.
    /// - Throws: ``Unusable`` with what podman said.
    package static func probe(in directory: String) async throws -> Report {
        let limits = ResourceLimits.current
        var remarks: [String] = []
        for driver in StorageDriver.allCases {
            for runtime in ["runc", "crun"] {
                let report = Report(
                    runtime: runtime, storageDriver: driver, openFiles: limits.openFiles, processes: limits.processes)
                let folder = "\(directory)/probe-\(UUID().uuidString.prefix(8).lowercased())"
                let failure = try await attempt(report, in: folder)
                guard let failure else {
                    return Report(
                        runtime: runtime, storageDriver: driver, openFiles: limits.openFiles,
                        processes: limits.processes, remarks: remarks)
                }
                remarks.append("\(runtime) on \(driver.rawValue): \(failure)")
            }
        }
        throw Unusable(remarks: remarks)
    }

    /// Returns nil on success, else podman's last line.
    private static func attempt(_ report: Report, in folder: String) async throws -> String? {
        let layout = EngineLayout(directory: folder, networkSeed: folder)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let outcome: String?
        do {
            try layout.write(report)
            try FileManager.default.createDirectory(atPath: folder + "/files/bin", withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: try busybox(), toPath: folder + "/files/bin/busybox")
            outcome = try await run(layout, folder)
        } catch let error as CommandError {
            outcome = "\(error)"
        }
        try await remove(folder, layout)
        return outcome
    }

    private static func run(_ layout: EngineLayout, _ folder: String) async throws -> String? {
        let archive = folder + "/files.tar"
        let tar = Command("tar", ["-C", folder + "/files", "-cf", archive, "."], deadline: .seconds(20))
        _ = try await CommandRunner.check(tar)
        let steps = [
            ["import", "--quiet", archive, "localhost/probe:1"],
            ["run", "--rm", "--network", "none", "localhost/probe:1", "/bin/busybox", "true"],
        ]
        for arguments in steps {
            let command = Command(
                "podman", arguments, environment: layout.environment, outputLimit: 64 * 1024, deadline: .seconds(30))
            let result = try await CommandRunner.run(command)
            guard result.exit.isSuccess else {
                let last = result.errorText.split(whereSeparator: \.isNewline).last ?? ""
                return last.isEmpty ? "\(result.exit)" : String(last)
            }
        }
        return nil
    }

    private static func remove(_ folder: String, _ layout: EngineLayout) async throws {
        let command = Command(
            "podman", ["rmi", "--all", "--force"], environment: layout.environment, deadline: .seconds(30))
        // Where nothing worked there is nothing to undo; and the overlay driver keeps its folder mounted on itself.
        _ = try await CommandRunner.run(command)
        _ = try await CommandRunner.run(Command("umount", ["--quiet", layout.imageStore + "/overlay"]))
        try FileManager.default.removeItem(atPath: folder)
    }

    private static func busybox() throws -> String {
        let places = ["/bin/busybox", "/usr/bin/busybox"]
        guard let found = places.first(where: FileManager.default.fileExists(atPath:)) else {
            throw Unusable(remarks: ["the package busybox-static is missing"])
        }
        return found
    }
}
