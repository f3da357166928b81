import ServiceRuntime

/// How long the registry keeps images that no release needs, in a file that is the operator's after the first start.
struct RegistryRules: Sendable {
    let state: StateDirectory

    var path: String { "\(state.root)/registry-rules.json" }

    /// Releases hold the images they name by digest, others are kept by their tags; so what has neither is of a
    /// destroyed app, or of a push that was made again.
    private static let first = """
        [
          {"repositories": "*", "untagged_after": 86400}
        ]

        """

    /// Makes the file once.
    func ensure() throws {
        guard try StateFile.read(path) == nil else { return }
        try StateFile.write(Self.first, to: path, mode: 0o644)
    }
}
