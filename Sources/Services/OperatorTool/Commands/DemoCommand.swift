import ArgumentParser
import CurlTransfer

/// `workflow demo`: pushes a sample app and shows its page.
struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Push a sample app by git and fetch its page; run it again for a second release."
    )

    @OptionGroup var options: StateOptions
    @Option(help: "The folder of the sample (default: services/controller/samples/hello of the source tree).")
    var sample: String?
    @Option(help: "The script that makes the base images (default: scripts/base-images of the source tree).")
    var baseImages: String?

    func run() async throws {
        try await reportingErrors {
            let (state, settings) = try options.installed()
            guard try Running.supervisor(of: state) != nil else {
                throw OperatorError("the platform is not running", next: "workflow up")
            }
            let programs = try ProgramDirectory.besideThisProgram()
            guard let folder = sample ?? SourceTree.find("services/controller/samples/hello", above: programs.path)
            else {
                throw OperatorError("the sample app was not found", next: "workflow demo --sample FOLDER")
            }
            let demonstration = Demonstration(
                state: state, settings: settings, programs: programs, sample: folder,
                images: try BaseImagesCommand.images(state, script: baseImages), client: try HTTPClient())
            try await demonstration.run()
        }
    }
}
