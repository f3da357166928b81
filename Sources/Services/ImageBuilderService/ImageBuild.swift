import FoundationEssentials
import Logging
import OCIRegistry

/// One build from source bundle to pushed image, reporting each phase.
struct ImageBuild: Sendable {
    let job: BuildJob
    let configuration: ImageBuilderConfiguration
    let events: EventWriter
    let logger: Logger

    /// - Throws: ``BuildFailure``, ``TemporaryFailure`` or `CancellationError`.
    func run() async throws -> BuildResult {
        let clock = ContinuousClock()
        let buildah = Buildah(
            configuration: configuration, workDirectory: job.workDirectory, deadline: .seconds(job.timeoutSeconds))
        let root = try await storageRoot(buildah)
        let turns = try BuildTurns(directory: root)
        try await turns.begin(buildah, logger: logger)
        defer { withExtendedLifetime(turns) {} }

        var start = clock.now
        let source = SourceTree(directory: try await SourceBundle(job: job).unpack())
        let description = try SourceDescription(source: source)
        let plan = try BuildPlan(job: job, description: description)
        try events.write(.finished(.detect, plan.summary, clock.now - start))

        start = clock.now
        var main: ContainerBuild.Built?
        var others: [(image: BuildPlan.Image, built: ContainerBuild.Built)] = []
        for image in plan.images {
            let built = try await ContainerBuild(
                buildah: buildah, job: job, source: source, fileName: image.dockerfile,
                arguments: image.arguments, uses: LayerUses(root: root), events: events
            ).run()
            if image.isMain { main = built } else { others.append((image, built)) }
        }
        guard let main else { throw BuildFailure(.build, "The build made no image.") }
        try events.write(.finished(.build, main.summary, clock.now - start))

        start = clock.now
        let push = ImagePush(buildah: buildah, job: job)
        var pinned: [String: String] = [:]
        for other in others {
            let digest = try await push.push(other.built.imageID, tag: other.image.tag).digest
            if let type = other.image.processType { pinned["\(type)"] = job.repository.pinned(to: digest).description }
        }
        let pushed = try await push.push(main.imageID, tag: job.tag)
        let port = try await ImageInspection(buildah: buildah).port(of: main.imageID)
        let short = pushed.digest.description.prefix(17)
        try events.write(.finished(.image, "\(short)... \(Self.megabytes(pushed.size))", clock.now - start))
        return BuildResult(
            image: job.repository.pinned(to: pushed.digest).description, digest: pushed.digest.description,
            size: pushed.size, port: port, description: description,
            dryccfile: DryccDirectory.document(description.dryccfile, using: pinned))
    }

    private func storageRoot(_ buildah: Buildah) async throws -> String {
        if let root = configuration.storageRoot { return root }
        return try await LayerStore.locate(buildah).root
    }

    private static func megabytes(_ bytes: Int) -> String {
        let tenths = (bytes * 10 + 500_000) / 1_000_000
        return "\(tenths / 10).\(tenths % 10) MB"
    }
}
