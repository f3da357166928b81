import ArgumentParser
import CommandRunner
import Foundation
import Glibc
import Logging
import PlatformModel
import ServiceRuntime
import Synchronization

/// `workflow up`: makes the installation when there is none and starts it.
struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Start the platform; the first time, make it.")

    @OptionGroup var options: StateOptions
    @Option(help: "The domain apps get their names under (default workflow.localhost).") var domain: String?
    @Option(help: "The port apps are served on over http.") var httpPort: Int?
    @Option(help: "The port apps are served on over https.") var httpsPort: Int?
    @Option(help: "The port git pushes come in on.") var sshPort: Int?
    @Option(help: "The port of the image registry.") var registryPort: Int?
    @Option(help: "Addresses to serve on, separated by commas.") var bind: String?
    @Option(help: "The file that gets the platform's names; 'none' leaves it alone.") var hostsFile: String?
    @Option(help: "Where the platform's programs are (default: beside this one).") var programs: String?
    @Flag(help: "Stay in the foreground; Ctrl-C stops the platform.") var foreground = false

    private var askedPorts: [(use: PortPlan.Use, port: Int)] {
        let all: [(PortPlan.Use, Int?)] = [
            (.http, httpPort), (.https, httpsPort), (.ssh, sshPort), (.registry, registryPort),
        ]
        return all.compactMap { use, port in port.map { (use, $0) } }
    }

    func validate() throws {
        for (use, port) in askedPorts where !(1...65535).contains(port) {
            throw ValidationError("--\(use.rawValue)-port \(port) is not a port; choose one from 1 to 65535.")
        }
        let clash = PortPlan(numbers: Dictionary(uniqueKeysWithValues: askedPorts.map { ($0.use, $0.port) })).clash
        if let clash { throw ValidationError("\(clash)") }
        if let domain, DomainName(ifValid: domain)?.isWildcard != false {
            throw ValidationError("--domain \(domain) is not a domain, such as apps.example.com.")
        }
        for address in bind?.split(separator: ",", omittingEmptySubsequences: false) ?? []
        where !PortProbe.isAddress(String(address)) {
            throw ValidationError("--bind takes IP addresses separated by commas; '\(address)' is none.")
        }
        if let hostsFile, hostsFile != "none", !hostsFile.hasPrefix("/") {
            throw ValidationError("--hosts-file \(hostsFile) must be an absolute path, or none.")
        }
    }

    func run() async throws {
        try await reportingErrors {
            let state = options.state
            try state.prepare()
            if try Running.supervisor(of: state) != nil {
                Console.say("Workflow is already running in \(state.root).\n")
                try Console.say(AddressTable(state: state).text)
                return
            }
            try configure(state)
            let succeeded = foreground ? try await runHere(state) : try await startInBackground(state)
            if !succeeded { throw ExitCode.failure }
        }
    }

    /// Writes what was asked for into the settings; ports not asked for are chosen by the start itself.
    func configure(_ state: StateDirectory) throws {
        var settings = try Settings.read(from: state)
        let before = settings?.hostsFile
        if let domain {
            let name = try DomainName(domain)
            if settings?.domain != name {
                let ports = settings?.ports ?? PortPlan()
                settings = Settings.standard(domain: name)
                settings?.ports = ports
            }
        }
        var chosen = try settings ?? Settings.standard()
        for (use, port) in askedPorts { chosen.ports[use] = port }
        if let clash = chosen.ports.clash { throw OperatorError("\(clash)", next: "workflow up --help") }
        if let bind { chosen.bind = bind.split(separator: ",").map(String.init) }
        if let hostsFile { chosen.hostsFile = hostsFile == "none" ? nil : hostsFile }
        if let before, before != chosen.hostsFile { try HostsFile(path: before, owner: state.root).update(names: []) }
        try chosen.write(to: state)
    }

    private var programDirectory: ProgramDirectory {
        get throws { try programs.map { ProgramDirectory(path: $0) } ?? ProgramDirectory.besideThisProgram() }
    }

    private func runHere(_ state: StateDirectory) async throws -> Bool {
        let printer = ProgressPrinter(state: state)
        let process = SupervisorProcess(
            state: state, programs: try programDirectory, logger: SupervisorLog.logger(), progress: printer.show)
        return try await process.run()
    }

    private func startInBackground(_ state: StateDirectory) async throws -> Bool {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let supervisor = try DetachedProcess(
            program: own,
            arguments: ["supervise", "--state-dir", state.root, "--programs", try programDirectory.path],
            environment: ["PATH": Command.minimalPath, "LC_ALL": "C.UTF-8", "HOME": state.run],
            errorPath: state.log(of: "supervisor"))
        let printer = ProgressPrinter(state: state)
        var succeeded = false
        var wasTold = false
        try supervisor.readLines { line in
            let event = try ProgressEvent(line: line)
            printer.show(event)
            switch event {
            case .ready: (succeeded, wasTold) = (true, true)
            case .failed: wasTold = true
            default: break
            }
            return !succeeded
        }
        if !wasTold {
            throw OperatorError(
                "the supervisor ended without a word", next: "workflow logs supervisor",
                evidence: LogFile(path: state.log(of: "supervisor")).lastLines(12))
        }
        return succeeded
    }
}

/// `workflow supervise`: the process `workflow up` leaves in the background.
struct SuperviseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "supervise", abstract: "Own the platform's servers (started by up).", shouldDisplay: false)

    @OptionGroup var options: StateOptions
    @Option var programs: String

    func run() async throws {
        try await reportingErrors {
            let process = SupervisorProcess(
                state: options.state, programs: ProgramDirectory(path: programs), logger: SupervisorLog.logger()
            ) { event in
                do {
                    try Console.say(event.line)
                } catch {
                    Console.complain("workflow: a progress line could not be written: \(error)")
                }
            }
            if try await !process.run() { throw ExitCode.failure }
        }
    }
}

/// The supervisor's own log, on standard error.
enum SupervisorLog {
    static func logger() -> Logger {
        var reader = ConfigurationReader(variables: [:])
        let configuration = LoggingConfiguration(reader: &reader)
        return Logger(label: "supervisor") { LineLogHandler(label: $0, configuration: configuration) }
    }
}

/// Shows a start's progress, and at its end where everything is.
final class ProgressPrinter: Sendable {
    private let state: StateDirectory
    private let held = Mutex<ProgressEvent?>(nil)

    init(state: StateDirectory) { self.state = state }

    @Sendable func show(_ event: ProgressEvent) {
        switch event {
        case .administrator:
            held.withLock { $0 = event }
        case .ready:
            Console.say("\n\(event.text)\n")
            do {
                try Console.say(AddressTable(state: state).text)
            } catch {
                Console.complain("workflow: the addresses could not be read: \(error)")
            }
            if let administrator = held.withLock({ $0 }) { Console.say(administrator.text) }
        default:
            Console.say(event.text)
        }
    }
}
