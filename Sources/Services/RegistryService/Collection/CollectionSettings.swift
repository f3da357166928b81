import FoundationEssentials
import ServiceRuntime

/// What is kept for how long, and how much of it.
///
/// - `REGISTRY_COLLECT_INTERVAL`: seconds between collections, default 3600; 0 for none but by command.
/// - `REGISTRY_COLLECT_GRACE`: seconds something that nothing needs stays, default 3600; longer than the longest push.
/// - `REGISTRY_UPLOAD_EXPIRY`: seconds after which an abandoned upload is removed, default 86400.
/// - `REGISTRY_RULES`: file of retention rules per repository, a JSON array; see ``RetentionRule``.
/// - `REGISTRY_BUDGET`: the most bytes the registry holds, default 0 for no limit.
struct CollectionSettings: Sendable {
    /// Nil when collections run by command only.
    let interval: Duration?
    let rules: CollectionRules

    init(reader: inout ConfigurationReader) {
        let interval = reader.duration("REGISTRY_COLLECT_INTERVAL", default: .seconds(3600))
        self.interval = interval > .zero ? interval : nil
        var rules = CollectionRules()
        rules.grace = reader.duration("REGISTRY_COLLECT_GRACE", default: rules.grace)
        if rules.grace < .seconds(1) { reader.report("REGISTRY_COLLECT_GRACE", "must be at least one second") }
        rules.uploadExpiry = reader.duration("REGISTRY_UPLOAD_EXPIRY", default: rules.uploadExpiry)
        rules.rules = Self.rules(&reader)
        let budget = reader.integer("REGISTRY_BUDGET", default: 0, in: 0...Int.max)
        rules.budget = budget > 0 ? budget : nil
        self.rules = rules
    }

    private static func rules(_ reader: inout ConfigurationReader) -> [RetentionRule] {
        guard let path = reader.optionalString("REGISTRY_RULES") else { return [] }
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            reader.report("REGISTRY_RULES", "names the file \(path), which cannot be read")
            return []
        }
        do throws(RuleProblem) {
            return try CollectionRules.rules(Array(text.utf8))
        } catch {
            reader.report("REGISTRY_RULES", "names the file \(path), which \(error)")
            return []
        }
    }
}
