import PlatformModel

/// What a request does to one member: take it away or give it a value.
enum Edit<Value: Sendable & Equatable>: Sendable, Equatable {
    case remove
    case set(Value)
}

/// One variable to set or remove.
struct ConfigValueEdit: Sendable, Equatable {
    let scope: ConfigValue.Scope
    let name: String
    let edit: Edit<String>
}

/// A checked request to change a config: only the members given are present.
struct ConfigChange: Sendable, Equatable {
    typealias Flat = [String: Edit<String>]
    typealias Nested<Value: Sendable & Equatable> = [String: Edit<[String: Edit<Value>]>]

    var values: [ConfigValueEdit] = []
    var valuesRefs: [String: Edit<[String]>] = [:]
    var limits: Flat = [:]
    var terminationGracePeriod: Flat = [:]
    var tags: Nested<String> = [:]
    var registry: Nested<String> = [:]
    var healthcheck: Nested<JSONValue> = [:]
    var lifecycle: Nested<JSONValue> = [:]
    /// Probes to remove from every process type: what the command line's `healthchecks unset` really sends.
    var probesRemovedEverywhere: Set<String> = []

    var isEmpty: Bool { self == ConfigChange() }
}
