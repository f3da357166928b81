import FoundationEssentials
import PlatformModel

/// The folder of one pod below the log directory: its output, the metadata the shipper adds to each line, and what the
/// supervisor has to remember over restarts of its own process.
struct PodFolder: Sendable {
    /// What survives the controller.
    struct Memory: Codable, Sendable, Equatable {
        struct Exit: Codable, Sendable, Equatable {
            var code: Int
            var started: Date?
            var finished: Date?
            /// Why it was stopped, when a probe was the reason.
            var reason: String?
        }

        /// The pod has passed its readiness probe once; from then on it is kept running.
        var wasReady = false
        /// It takes requests; false from a restart until it listens again.
        var isReady = false
        var restarts = 0
        /// Starts in a row that did not last.
        var shortRuns = 0
        var lastExit: Exit?
        /// A probe has failed for good: the process is being stopped to be started again.
        var restartReason: String?
    }

    let path: String

    init(logDirectory: String, labels: PodLabels) {
        path = "\(logDirectory)/\(labels.app)_\(labels.pod)_\(labels.uid)"
    }

    static func container(_ labels: PodLabels) -> String { "\(labels.app)-\(labels.processType)" }

    func logFile(_ labels: PodLabels) -> String { "\(path)/\(Self.container(labels))/0.log" }

    /// Makes the folder and the metadata the shipper reads, before the first line is written.
    func prepare(_ labels: PodLabels) throws {
        struct Metadata: Encodable {
            let app: String
            let namespace: String
            let pod: String
            let type: String
            let version: String
            let container: String
        }
        try FileManager.default.createDirectory(
            atPath: "\(path)/\(Self.container(labels))", withIntermediateDirectories: true)
        let metadata = Metadata(
            app: labels.app.text, namespace: labels.app.text, pod: labels.pod.text, type: labels.processType.text,
            version: "\(labels.release)", container: Self.container(labels))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        try encoder.encode(metadata).write(to: URL(filePath: path + "/metadata.json"), options: .atomic)
    }

    private var memoryFile: URL { URL(filePath: path + "/supervision.json") }

    /// What was remembered; a pod without a readable memory counts as new.
    func memory() -> Memory {
        do {
            return try JSONDecoder().decode(Memory.self, from: Data(contentsOf: memoryFile))
        } catch {
            return Memory()
        }
    }

    func remember(_ memory: Memory) throws {
        try JSONEncoder().encode(memory).write(to: memoryFile, options: .atomic)
    }
}
