import OCIRegistry
import PlatformModel

/// Which images a source asks for, and how each is built.
///
/// The place where further stacks join: a source without a Dockerfile is refused here until one can build it.
struct BuildPlan: Sendable {
    struct Image: Sendable {
        /// The process type whose pipeline asks for it; nil for the Dockerfile at the top.
        let processType: ProcessType?
        let dockerfile: String
        let arguments: [String: String]
        let tag: ImageTag
        /// Whether it is the image the app's processes run by default.
        let isMain: Bool
    }

    let images: [Image]
    let summary: String

    /// - Throws: ``BuildFailure`` when nothing here can build the source.
    init(job: BuildJob, description: SourceDescription) throws {
        guard job.stack != .buildpack else {
            throw BuildFailure(
                .detect, "This platform has no buildpacks.", hint: "Add a Dockerfile and push again.")
        }
        let common = description.buildArguments.merging(job.buildEnvironment) { given, _ in given }
        var images: [Image] = []
        for build in description.builds {
            let isMain = build.processType == .web
            let tag = isMain ? job.tag : try ImageTag("\(job.tag)-\(build.processType)")
            images.append(
                Image(
                    processType: build.processType, dockerfile: build.dockerfile,
                    arguments: common.merging(build.arguments) { _, own in own },
                    tag: tag, isMain: isMain))
        }
        if !images.contains(where: \.isMain) {
            guard !description.dockerfile.isEmpty else {
                throw BuildFailure(
                    .detect,
                    "The source has no Dockerfile at its top (or an empty one), so it is not known how to build it.",
                    hint: "Add a file named Dockerfile and push again.")
            }
            images.append(
                Image(processType: nil, dockerfile: "Dockerfile", arguments: common, tag: job.tag, isMain: true))
        }
        self.images = images
        let main = images.first(where: \.isMain)?.dockerfile ?? "Dockerfile"
        summary = main + Self.portNote(description)
    }

    private static func portNote(_ description: SourceDescription) -> String {
        let exposed = Dockerfile(description.dockerfile).instructions.filter { $0.keyword == "EXPOSE" }
        let words = exposed.flatMap { $0.text.split(whereSeparator: \.isWhitespace).dropFirst() }
        guard let port = words.filter({ !$0.hasSuffix("/udp") }).compactMap({ Int($0.prefix { $0.isNumber }) }).min()
        else { return "" }
        return ", port \(port) from EXPOSE"
    }
}
