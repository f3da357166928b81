import CommandRunner
import FoundationEssentials
import Glibc
import OpenSSLCrypto
import ServiceRuntime

/// Checks of an installation's files, names and ports.
struct InstallationChecks: Sendable {
    let state: StateDirectory
    let settings: Settings
    let isRunning: Bool
    let programs: ProgramDirectory
    /// Whether a host name leads anywhere.
    var resolves: @Sendable (String) -> Bool = { Self.resolves($0) }

    private var names: PlatformNames { PlatformNames(domain: settings.domain, ports: settings.ports) }

    var all: [Check] {
        [
            Check("programs") { platformPrograms() },
            Check("file modes") { try fileModes() },
            Check("certificates") { try certificates() },
            Check("hosts entries") { try hostsEntries() },
            Check("name resolution") { nameResolution() },
            Check("ports") { ports() },
            Check("orphan processes") { try orphans() },
            Check("container engine") { try await engine() },
            Check("logs") { try logs() },
        ]
    }

    private func platformPrograms() -> Finding {
        let missing = programs.missing
        return missing.isEmpty
            ? .ok("\(ProgramDirectory.all.count) in \(programs.path)")
            : .fail("\(missing.joined(separator: ", ")) not in \(programs.path)", next: "make release")
    }

    private func fileModes() throws -> Finding {
        let open = try Self.files(below: ["\(state.root)/secrets", state.keys]).filter { path in
            !path.hasSuffix(".pem") && (Self.mode(of: path) ?? 0) & 0o077 != 0
        }
        guard let first = open.first else { return .ok("secrets and keys are closed to others") }
        return .fail("\(open.count) readable by others, such as \(first)", next: "chmod go= \(first)")
    }

    static func files(below folders: [String]) throws -> [String] {
        try folders.flatMap { folder in
            try FileManager.default.subpathsOfDirectory(atPath: folder).map { "\(folder)/\($0)" }
                .filter { mode(of: $0) != nil }
        }
    }

    /// Permissions of a plain file; nil for anything else.
    static func mode(of path: String) -> Int? {
        do {
            let attributes = try FileManager.default.attributesOfItem(atPath: path)
            guard attributes[.type] as? FileAttributeType == .typeRegular else { return nil }
            return (attributes[.posixPermissions] as? any BinaryInteger).map { Int($0) }
        } catch {
            // It went away between listing and looking.
            return nil
        }
    }

    private func certificates() throws -> Finding {
        let authority = LocalAuthority(state: state, domain: settings.domain)
        guard let certificate = try authority.certificate() else {
            return .fail("there is no certificate for \(settings.domain)", next: "workflow up")
        }
        let days = Int(certificate.notAfter.timeIntervalSinceNow / 86_400)
        let evidence = "\(certificate.dnsNames.joined(separator: ", ")): \(days) days left"
        if days < 1 || !certificate.covers(host: names.controllerHost) {
            return .fail(evidence, next: "workflow down, then workflow up")
        }
        return days < 30 ? .warn(evidence, next: "workflow down, then workflow up renews it") : .ok(evidence)
    }

    private func hostsEntries() throws -> Finding {
        guard let path = settings.hostsFile else { return .ok("not kept by this installation") }
        return try HostsFile(path: path, owner: state.root).isCurrent(names: names.hosts)
            ? .ok("\(names.hosts.count) names in \(path)")
            : .fail("the block in \(path) is missing or changed", next: "workflow down, then workflow up")
    }

    private func nameResolution() -> Finding {
        let unknown = names.hosts.filter { !resolves($0) }
        guard unknown.isEmpty else {
            let next = settings.hostsFile == nil ? "add the names to the hosts file or DNS" : "workflow up"
            return .warn("\(unknown.joined(separator: ", ")) cannot be resolved", next: next)
        }
        return .ok(names.hosts.joined(separator: ", "))
    }

    static func resolves(_ host: String) -> Bool {
        var result: UnsafeMutablePointer<addrinfo>?
        defer { if let result { freeaddrinfo(result) } }
        return getaddrinfo(host, nil, nil, &result) == 0
    }

    private func ports() -> Finding {
        isRunning ? listeningPorts() : freePorts()
    }

    private func listeningPorts() -> Finding {
        let silent = PortPlan.Use.allCases.filter { use in
            !LoopbackProbe.exchange(port: settings.ports[use], sending: [], expecting: nil)
        }
        return silent.isEmpty
            ? .ok("all \(PortPlan.Use.allCases.count) ports answer")
            : .fail("nothing listens for \(described(silent))", next: "workflow status")
    }

    private func freePorts() -> Finding {
        let taken = PortPlan.Use.allCases.filter { use in
            settings.ports[use] != 0 && !settings.isFree(settings.ports[use], for: use)
        }
        guard let first = taken.first(where: \.isPromised) ?? taken.first else {
            return .ok("all remembered ports are free")
        }
        let next =
            first.isPromised
            ? "free them, or choose others with workflow up --\(first.rawValue)-port"
            : "nothing: workflow up takes other ports"
        return .warn("in use by other programs: \(described(taken))", next: next)
    }

    private func described(_ uses: [PortPlan.Use]) -> String {
        uses.map { "\($0.rawValue) (\(settings.ports[$0]))" }.joined(separator: ", ")
    }

    private func orphans() throws -> Finding {
        let found = try Orphans(state: state, logger: SupervisorLog.logger()).find()
        let known = Set(try PlatformState.read(from: state)?.services.compactMap(\.process) ?? [])
        let strays = isRunning ? found.filter { !known.contains($0.process) } : found
        return strays.isEmpty
            ? .ok("none")
            : .warn(
                strays.map { "\($0.name) (\($0.process.pid))" }.joined(separator: ", "),
                next: isRunning ? "workflow status in a moment" : "workflow up stops and replaces them")
    }

    private func engine() async throws -> Finding {
        let engine = ContainerEngine(state: state)
        guard engine.isPrepared else { return .warn("not configured yet", next: "workflow up") }
        let clock = ContinuousClock()
        let start = clock.now
        try await engine.runNothing()
        return .ok("a container ran in \(ProgressEvent.seconds((clock.now - start).milliseconds))")
    }

    private func logs() throws -> Finding {
        let bytes = try Self.files(below: [state.platformLogs]).reduce(Int64(0)) { sum, path in
            let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? any BinaryInteger
            return sum + (size.map { Int64($0) } ?? 0)
        }
        let text = "\(bytes >> 20) MiB in \(state.platformLogs)"
        return bytes > 1 << 30
            ? .warn(text, next: "look for a server that complains all the time: workflow status") : .ok(text)
    }
}
