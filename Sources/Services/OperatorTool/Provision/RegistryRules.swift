import ServiceRuntime

/// How long the registry keeps images that no release needs, in a file that is the operator's after the first start.
struct RegistryRules: Sendable {
    let state: StateDirectory

    var path: String { "\(state.root)/registry-rules.json" }

    /// Releases hold their images, so these concern the others: images of pushes that never became a release, and those
    /// of destroyed apps, which have lost their tags.
    private static let first = """
        [
          {"repositories": "*", "keep_tags": 20, "protected_tags": ["latest"], "untagged_after": 86400}
        ]

        """

    /// Makes the file once.
    func ensure() throws {
        guard try StateFile.read(path) == nil else { return }
        try StateFile.write(Self.first, to: path, mode: 0o644)
    }
}
