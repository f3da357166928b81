import ArgumentParser
import FoundationEssentials
import ServiceHTTP

/// `workflow status`: what runs, what waits and how much room is left.
struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show servers, queues and disk; exits with 1 when something is wrong.")

    @OptionGroup var options: StateOptions
    @Flag(help: "As one JSON object.") var json = false

    func run() async throws {
        try await reportingErrors {
            let (state, settings) = try options.installed()
            let report = try await StatusReport.gather(state: state, settings: settings)
            if json {
                let encoder = JSONCoding.encoder
                encoder.outputFormatting.insert(.prettyPrinted)
                Console.say(String(decoding: try encoder.encode(report), as: UTF8.self))
            } else {
                Console.say(report.text)
            }
            if !report.isHealthy { throw ExitCode.failure }
        }
    }
}
