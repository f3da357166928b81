import PlatformModel

/// What a new release changed, in the words of the release list.
enum ReleaseSummary {
    /// A release as the comparison sees it.
    struct Side: Sendable {
        let buildID: String?
        let sha: String
        let image: String
        let config: ConfigDocument
    }

    static func initial(workspace: String) -> String { "\(workspace) created initial release" }

    static func rollback(user: String, to version: ReleaseNumber) -> String { "\(user) rolled back to \(version)" }

    /// - Returns: nil when nothing differs, so that there is nothing to release.
    static func compare(workspace: String, new: Side, old: Side) -> String? {
        if let build = new.buildID, build != old.buildID {
            return "\(workspace) deployed \(new.sha.isEmpty ? new.image : String(new.sha.prefix(7)))"
        }
        let pieces = changes(from: old.config, to: new.config).map { "\(workspace) \($0)" }
        return pieces.isEmpty ? nil : pieces.joined()
    }

    /// One piece per changed field, such as `added limits web, changed limits worker`.
    private static func changes(from old: ConfigDocument, to new: ConfigDocument) -> [String] {
        [
            describe("lifecycle", old.lifecycle, new.lifecycle),
            describe("tags", old.tags, new.tags),
            describe("limits", old.limits, new.limits),
            describe("values_refs", old.valuesRefs, new.valuesRefs),
            describe("healthcheck", old.healthcheck, new.healthcheck),
            describe("termination_grace_period", old.terminationGracePeriod, new.terminationGracePeriod),
            describe("registry", old.registry, new.registry),
            describeValues(old.values, new.values),
        ].compactMap { $0 }
    }

    private static func describe<Value: Equatable>(
        _ field: String, _ old: [String: Value], _ new: [String: Value]
    ) -> String? {
        sentence(
            field,
            added: new.keys.filter { old[$0] == nil },
            changed: new.keys.filter { key in old[key].map { $0 != new[key] } ?? false },
            deleted: old.keys.filter { new[$0] == nil })
    }

    /// Variables are told apart by name and scope, and shown by name.
    private static func describeValues(_ old: [ConfigValue], _ new: [ConfigValue]) -> String? {
        struct Key: Hashable {
            let scope: ConfigValue.Scope
            let name: String
        }
        let before = Dictionary(old.map { (Key(scope: $0.scope, name: $0.name), $0.value) }) { _, last in last }
        let after = Dictionary(new.map { (Key(scope: $0.scope, name: $0.name), $0.value) }) { _, last in last }
        return sentence(
            "values",
            added: after.keys.filter { before[$0] == nil }.map(\.name),
            changed: after.keys.filter { key in before[key].map { $0 != after[key] } ?? false }.map(\.name),
            deleted: before.keys.filter { after[$0] == nil }.map(\.name))
    }

    private static func sentence(_ field: String, added: [String], changed: [String], deleted: [String]) -> String? {
        let parts = [("added", added), ("changed", changed), ("deleted", deleted)].compactMap { verb, keys in
            keys.isEmpty ? nil : "\(verb) \(field) \(Set(keys).sorted().joined(separator: ", "))"
        }
        return parts.isEmpty ? nil : parts.joined(separator: ", ")
    }
}
