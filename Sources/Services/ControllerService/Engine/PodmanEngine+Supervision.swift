import CommandRunner
import FoundationEssentials
import PodmanClient

/// A pod whose process does not run.
struct EndedPod: Sendable {
    let labels: PodLabels
    let folder: PodFolder
    let memory: PodFolder.Memory
    let exitCode: Int
    let started: Date?
    let finished: Date

    var ranLong: Bool {
        guard let started else { return false }
        return finished.timeIntervalSince(started) >= PodSupervisor.lastingRun / .seconds(1)
    }
}

extension PodmanEngine {
    /// Pods without a running process, also those a restart of the machine has stopped.
    func endedPods() async throws -> [EndedPod] {
        var ended: [EndedPod] = []
        for container in try await containers() where container.status.hasEnded || container.status == .created {
            guard let labels = PodLabels(container.allLabels) else { continue }
            let folder = PodFolder(logDirectory: configuration.logDirectory, labels: labels)
            do {
                let state = try await podman.inspectContainer(container.id).state
                ended.append(
                    EndedPod(
                        labels: labels, folder: folder, memory: folder.memory(), exitCode: state.exitCode,
                        started: state.startedAt, finished: state.finishedAt ?? .distantPast))
            } catch let error as PodmanError where error.code == .notFound {
                // Removed while we looked.
            }
        }
        return ended
    }

    /// The container of each pod, asked for with a single call.
    func containers() async throws -> [ContainerSummary] {
        try await translatingErrors { try await podman.listContainers(labels: [PodLabels.heritage]) }
    }

    /// Pods whose process runs, with what is remembered of them.
    func runningPods() async throws -> [(labels: PodLabels, memory: PodFolder.Memory)] {
        try await containers().filter { $0.status == .running }
            .compactMap { PodLabels($0.allLabels) }
            .map { ($0, PodFolder(logDirectory: configuration.logDirectory, labels: $0).memory()) }
    }

    /// Removes the folders of pods that are gone and have written nothing since `limit`.
    func removeOldLogs(before limit: Date) async throws {
        let files = FileManager.default
        guard files.fileExists(atPath: configuration.logDirectory) else { return }
        let names = try files.contentsOfDirectory(atPath: configuration.logDirectory)
        guard !names.isEmpty else { return }
        let kept = try await containers().compactMap { PodLabels($0.allLabels) }
            .map { PodFolder(logDirectory: configuration.logDirectory, labels: $0).path }
        for name in names {
            let path = configuration.logDirectory + "/" + name
            guard !kept.contains(path), try Self.lastChange(below: path) < limit else { continue }
            try files.removeItem(atPath: path)
        }
    }

    /// When a file one or two levels below `path` was written last.
    private static func lastChange(below path: String) throws -> Date {
        var latest = Date.distantPast
        for name in try FileManager.default.subpathsOfDirectory(atPath: path) + [""] {
            let attributes = try FileManager.default.attributesOfItem(atPath: path + "/" + name)
            if let changed = attributes[.modificationDate] as? Date { latest = max(latest, changed) }
        }
        return latest
    }
}

extension PodmanEngine {
    /// Containers that count as running without a monitor (conmon, the parent of their process), which reads what the
    /// process writes and tells podman of its end. One that was stopped after its monitor's death counts as stopping
    /// for ever.
    ///
    /// None where podman numbers processes otherwise than this process does.
    func orphans(among containers: [ContainerSummary]) -> [ContainerSummary] {
        let running = containers.filter { $0.status == .running || $0.status == .stopping }
        guard !running.isEmpty, ProcessIdentity(listeningOn: podman.socket)?.sharesProcessNumbers == true else {
            return []
        }
        return running.filter { container in
            guard let process = ProcessIdentity(pid: Int32(clamping: container.processID)) else { return true }
            return ProcessIdentity(pid: process.parent)?.arguments.contains(container.id) != true
        }
    }
}
