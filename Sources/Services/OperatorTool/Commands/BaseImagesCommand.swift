import ArgumentParser

/// `workflow base-images`: loads the base images where no image hub can be reached.
struct BaseImagesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "base-images",
        abstract: "Build base images from Debian packages and load them, where there is no hub.")

    @OptionGroup var options: StateOptions
    @Option(help: "The script that builds them (default: scripts/base-images of the source tree).")
    var script: String?

    func run() async throws {
        try await reportingErrors {
            let (state, _) = try options.installed()
            try await Self.images(state, script: script).load { Console.say("  \($0)") }
        }
    }

    static func images(_ state: StateDirectory, script: String?) throws -> BaseImages {
        let own = try ProgramDirectory.besideThisProgram().path
        guard let script = script ?? SourceTree.find("scripts/base-images", above: own) else {
            throw OperatorError("scripts/base-images was not found", next: "workflow base-images --script FILE")
        }
        return BaseImages(engine: ContainerEngine(state: state), script: script)
    }
}
