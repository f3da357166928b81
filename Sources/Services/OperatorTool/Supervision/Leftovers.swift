import CommandRunner
import Glibc
import Logging
import ServiceRuntime

/// What still runs of an installation though nobody has a record of it: its supervisor was killed before it could
/// write one, or the record's process is gone and its children are not.
struct Leftovers: Sendable {
    /// The variable every server is started with, and its children inherit; its value is the installation's directory.
    static let mark = "WORKFLOW_OWNER"

    /// Programs whose arguments name the directory when they are ours; a person's editor or pager is none of them.
    private static let programs: Set<String> = [
        "aardvark-dns", "beam.smp", "buildah", "conmon", "epmd", "netavark", "podman", "postgres",
    ]

    /// Programs that serve apps on their own and are taken over by the next start.
    private static let serving: Set<String> = ["aardvark-dns", "conmon", "nginx"]

    let state: StateDirectory
    /// Whether apps and what serves them are left alone.
    var sparesApps = false

    /// Every process of the installation except this one and those it was started by.
    func find() -> [ProcessIdentity] {
        var spared: Set<Int32> = [getpid()]
        var ancestor = getppid()
        while ancestor > 0, spared.insert(ancestor).inserted {
            ancestor = ProcessIdentity(pid: ancestor)?.parent ?? 0
        }
        let all = ProcessIdentity.all().filter { !spared.contains($0.pid) }
        let workers = edgeWorkers
        let own = all.filter { process in
            (isOurs(process) || workers.contains(process))
                && !(sparesApps && Self.serving.contains(Self.program(of: process)))
        }
        let monitors = Set(own.filter { Self.program(of: $0) == "conmon" }.map(\.pid))
        // What a container runs knows nothing of us; its monitor is its parent.
        return all.filter { own.contains($0) || monitors.contains($0.parent) }
    }

    /// Whether apps run.
    var hasApps: Bool { ProcessIdentity.all().contains { Self.program(of: $0) == "conmon" && isOurs($0) } }

    /// The ports of the installation's nginx when it is left alone: the router takes it over with them.
    var edgePorts: Set<Int> {
        guard sparesApps else { return [] }
        let masters = ProcessIdentity.all().filter { Self.program(of: $0) == "nginx" && isOurs($0) }
        return (masters + edgeWorkers).reduce(into: []) { $0.formUnion($1.listeningPorts) }
    }

    /// The workers of nginx, which outlive a killed master and show neither arguments nor environment: they are in the
    /// session of the master that wrote the pid file. A number that is in use by another leader is not ours.
    private var edgeWorkers: [ProcessIdentity] {
        // Without a pid file that can be read nothing tells whose workers they are.
        guard let text = try? StateFile.readText("\(state.nginx)/nginx.pid"), let pid = Int32(text.filter(\.isNumber))
        else { return [] }
        if let leader = ProcessIdentity(pid: pid), !isOurs(leader) { return [] }
        return ProcessIdentity.members(ofSession: pid)
            .filter { $0.arguments.first?.hasPrefix("nginx: worker") == true }
    }

    /// Ends them all: containers' processes at once, the others with a chance to tidy up; then takes containers whose
    /// process is gone off their runtime's record.
    /// - Returns: the names of the programs that were stopped.
    func stopAll(patience: Duration = .seconds(10)) async throws -> [String] {
        let found = find()
        let named = found.map { (process: $0, name: Self.program(of: $0)) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (process, _) in named {
                let isContainer = !isOurs(process)
                group.addTask {
                    try await process.stop(patience: isContainer ? .zero : patience)
                }
            }
            try await group.waitForAll()
        }
        try await forgetEndedContainers()
        return named.map(\.name).sorted()
    }

    /// podman does so for those whose monitor lives.
    private func forgetEndedContainers() async throws {
        for runtime in OCIRuntime.all {
            for container in runtime.containers(below: state.root)
            where ProcessIdentity(pid: container.processID) == nil {
                _ = try await runtime.delete(container, force: false)
            }
        }
    }

    private func isOurs(_ process: ProcessIdentity) -> Bool {
        if process.environment.contains("\(Self.mark)=\(state.root)") { return true }
        let arguments = process.arguments
        guard let title = arguments.first else { return false }
        let isNginx = title.hasPrefix("nginx: master process")
        guard isNginx || Self.programs.contains(Self.program(of: process)) else { return false }
        return arguments.contains { $0.contains("\(state.root)/") }
    }

    private static func program(of process: ProcessIdentity) -> String {
        guard let title = process.arguments.first?.split(separator: " ").first else { return "" }
        return title.split(separator: "/").last.map { $0.hasSuffix(":") ? String($0.dropLast()) : String($0) } ?? ""
    }
}
