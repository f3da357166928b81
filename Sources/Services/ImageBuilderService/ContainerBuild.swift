import CommandRunner
import PlatformModel
import Synchronization

/// Builds one image from a Dockerfile with buildah; every layer is kept as the cache of the next build.
struct ContainerBuild: Sendable {
    let buildah: Buildah
    let job: BuildJob
    let source: SourceTree
    let fileName: String
    /// Values of `ARG`s; passed by environment so that no process list shows them.
    let arguments: [String: String]
    let uses: LayerUses
    let events: EventWriter

    struct Built: Sendable {
        let imageID: String
        let summary: String
    }

    /// - Throws: ``BuildFailure`` naming the line of the Dockerfile at fault.
    func run() async throws -> Built {
        guard let text = try source.text(fileName), let path = try source.path(fileName) else {
            throw BuildFailure(
                .detect, "The source has no file \(fileName).", hint: "Commit it, or correct `build.docker` in .drycc.")
        }
        let output = OutputBox()
        let exit = try await CommandRunner.stream(
            buildah.command(options(path), variables: arguments)
        ) { line in
            let shown = line.source == .output ? output.addOutput(line.text) : output.addError(line.text)
            if let shown { try events.write(.line(.build, shown)) }
        }
        let result = output.value
        if let image = result.imageID ?? result.cachedImage { try uses.mark(image) }
        guard exit.isSuccess, let imageID = result.imageID else {
            throw BuildDiagnosis(
                dockerfile: Dockerfile(text), fileName: fileName, memory: buildah.configuration.memory,
                wasKilled: result.wasKilled
            ).failure(error: result.errorText, exit: exit.description)
        }
        return Built(imageID: imageID, summary: result.summary)
    }

    private func options(_ path: String) -> [String] {
        let configuration = buildah.configuration
        var options = [
            "build", "--layers=true", "--isolation", "oci", "--pull=false", "--format", "oci", "--force-rm=true",
            "--memory", configuration.memory, "--cpu-period", "100000",
            "--cpu-quota", "\(configuration.cpus * 100_000)",
            "--cap-drop", "CAP_MKNOD", "--cap-drop", "CAP_NET_RAW", "--cap-drop", "CAP_AUDIT_WRITE",
        ]
        if configuration.network == .none { options += ["--network", "none"] }
        for name in arguments.keys.sorted() { options += ["--build-arg", name] }
        return options + ["--file", path, source.root]
    }
}

/// The output's state, fed from two streams at once.
private final class OutputBox: Sendable {
    private let state = Mutex(BuildahOutput())

    var value: BuildahOutput { state.withLock { $0 } }

    func addOutput(_ line: String) -> String? { state.withLock { $0.addOutput(line) } }

    func addError(_ line: String) -> String? { state.withLock { $0.addError(line) } }
}
