import ArgumentParser
import CurlTransfer
import Glibc

/// `workflow demo`: pushes a sample app and shows its page.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Push a sample app by git and fetch its page; run it again for a second release.")

    @OptionGroup var options: StateOptions
    @Option(help: "The folder of the sample (default: services/controller/samples/hello of the source tree).")
    var sample: String?

    func run() async throws {
        try await reportingErrors {
            let (state, settings) = try options.installed()
            guard try Running.supervisor(of: state) != nil else {
                throw OperatorError("the platform is not running", next: "workflow up")
            }
            let programs = try ProgramDirectory.besideThisProgram()
            guard let folder = sample ?? Self.findSample(from: programs.path) else {
                throw OperatorError("the sample app was not found", next: "workflow demo --sample FOLDER")
            }
            let demonstration = Demonstration(
                state: state, settings: settings, programs: programs, sample: folder, client: try HTTPClient())
            try await demonstration.run()
        }
    }

    /// The sample in the source tree the program was built in.
    static func findSample(from path: String) -> String? {
        var parts = path.split(separator: "/")
        while !parts.isEmpty {
            let candidate = "/" + parts.joined(separator: "/") + "/services/controller/samples/hello"
            if access(candidate, F_OK) == 0 { return candidate }
            parts.removeLast()
        }
        return nil
    }
}
