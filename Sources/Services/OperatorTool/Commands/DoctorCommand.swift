import ArgumentParser
import CurlTransfer
import FoundationEssentials
import ServiceHTTP
import ServiceRuntime

/// `workflow doctor`: looks at everything the platform depends on and says what to do about it.
struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check this machine and the platform on it; exits with 1 on a failure.")

    @OptionGroup var options: StateOptions
    @Flag(help: "As JSON, one object a check.") var json = false

    private struct Line: Encodable {
        let check: String
        let finding: Finding
    }

    func run() async throws {
        try await reportingErrors {
            var worst = Finding.Grade.ok
            var count = 0
            for check in try checks() {
                let finding = await check.run()
                worst = max(worst, finding.grade)
                count += 1
                try show(check.name, finding)
            }
            if !json { Console.say("\n\(count) checks, the worst is \(worst.rawValue).") }
            if worst == .fail { throw ExitCode.failure }
        }
    }

    private func checks() throws -> [Check] {
        let state = options.state
        let exists = try Settings.read(from: state)
        let host = HostChecks(root: exists == nil ? "/" : state.root).all
        guard let settings = exists else { return host }
        let isRunning = try Running.supervisor(of: state) != nil
        let installation = InstallationChecks(
            state: state, settings: settings, isRunning: isRunning, programs: try .besideThisProgram()
        ).all
        guard isRunning else {
            return host + installation
                + [Check("servers") { .warn("the platform is not running", next: "workflow up") }]
        }
        return host + installation + ServiceChecks(state: state, settings: settings, client: try HTTPClient()).all
    }

    private func show(_ name: String, _ finding: Finding) throws {
        if json {
            let line = try JSONCoding.encoder.encode(Line(check: name, finding: finding))
            return Console.say(String(decoding: line, as: UTF8.self))
        }
        Console.say("\(finding.grade.rawValue.padded(to: 5))\(name.padded(to: 18))\(finding.evidence)")
        if let next = finding.next { Console.say("     \("".padded(to: 18))next: \(next)") }
    }
}
