import CommandRunner
import FoundationEssentials

/// Makes buildah command lines for one build. Secrets go by file or environment, never by argument.
struct Buildah: Sendable {
    let configuration: ImageBuilderConfiguration
    let workDirectory: String
    let deadline: Duration

    /// Variables of our environment that container tools read.
    private static let inherited = [
        "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF", "HOME", "XDG_RUNTIME_DIR",
    ]

    func command(_ arguments: [String], variables: [String: String] = [:]) -> Command {
        var environment = ["TMPDIR": workDirectory, "BUILDAH_ISOLATION": "oci"]
        for name in Self.inherited { environment[name] = ProcessInfo.processInfo.environment[name] }
        environment.merge(variables) { own, _ in own }
        return Command(
            "buildah", storage + arguments, environment: environment, workingDirectory: workDirectory,
            deadline: deadline, grace: .seconds(8))
    }

    /// skopeo does not know the storage options: it only ever talks to the registry here.
    func skopeo(_ arguments: [String]) -> Command {
        Command("skopeo", arguments, environment: ["TMPDIR": workDirectory], deadline: .seconds(60))
    }

    private var storage: [String] {
        var options: [String] = []
        if let root = configuration.storageRoot { options += ["--root", root] }
        if let runRoot = configuration.storageRunRoot { options += ["--runroot", runRoot] }
        return options
    }
}
