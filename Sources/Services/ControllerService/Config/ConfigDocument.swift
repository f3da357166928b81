import PlatformModel

/// One environment variable: its name, its text, and whether it belongs to a process type or to a group.
struct ConfigValue: Hashable, Sendable {
    enum Scope: Hashable, Sendable {
        case ptype(String)
        case group(String)
    }

    let scope: Scope
    let name: String
    let value: String

    init(scope: Scope, name: String, value: String) {
        self.scope = scope
        self.name = name
        self.value = value
    }

    /// The group every process type reads without naming it.
    static let globalGroup = "global"
}

/// Everything a release says about its processes besides their image: environment, limits, probes and so on.
///
/// All maps are keyed by process type.
/// Values and registry passwords are secrets: the type describes itself without them.
struct ConfigDocument: Equatable, Sendable {
    var values: [ConfigValue] = []
    var valuesRefs: [String: [String]] = [:]
    var limits: [String: String] = [:]
    var terminationGracePeriod: [String: String] = [:]
    var tags: [String: [String: String]] = [:]
    var registry: [String: [String: String]] = [:]
    var healthcheck: [String: [String: JSONValue]] = [:]
    var lifecycle: [String: [String: JSONValue]] = [:]

    init() {}

    /// The environment of a process type: group `global`, then its groups in their order, then its own; later wins.
    func environment(of ptype: String) -> [String: String] {
        var environment: [String: String] = [:]
        let groups = [ConfigValue.globalGroup] + (valuesRefs[ptype] ?? [])
        for group in groups {
            for entry in values where entry.scope == .group(group) { environment[entry.name] = entry.value }
        }
        for entry in values where entry.scope == .ptype(ptype) { environment[entry.name] = entry.value }
        return environment
    }

    /// Whether a process type would run differently under `other`; empty equals absent.
    func differs(from other: ConfigDocument, for ptype: String) -> Bool {
        environment(of: ptype) != other.environment(of: ptype)
            || limits[ptype] != other.limits[ptype]
            || terminationGracePeriod[ptype] != other.terminationGracePeriod[ptype]
            || (tags[ptype] ?? [:]) != (other.tags[ptype] ?? [:])
            || (registry[ptype] ?? [:]) != (other.registry[ptype] ?? [:])
            || (healthcheck[ptype] ?? [:]) != (other.healthcheck[ptype] ?? [:])
            || (lifecycle[ptype] ?? [:]) != (other.lifecycle[ptype] ?? [:])
    }
}

extension ConfigDocument: CustomStringConvertible, CustomReflectable {
    var description: String { "config of \(values.count) values" }
    var customMirror: Mirror { Mirror(self, children: ["values": values.count]) }
}

extension ConfigValue: CustomStringConvertible, CustomReflectable {
    var description: String { "\(name)=<redacted>" }
    var customMirror: Mirror { Mirror(self, children: ["name": name]) }
}
