import PlatformModel

/// The two directions in which a dryccfile and a config meet: the file owns the environment of a build that has one.
enum DryccfileConfig {
    /// `values` and `values_refs` exactly as the file says; everything else of `config` stays.
    static func apply(_ file: JSONValue, to config: ConfigDocument) -> ConfigDocument {
        var result = config
        result.values = []
        result.valuesRefs = [:]
        for (group, variables) in (file["config"]?.objectValue ?? [:]).sorted(by: { $0.key < $1.key }) {
            append(variables, scope: .group(group), to: &result.values)
        }
        for (_, pipeline) in (file["pipeline"]?.objectValue ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let ptype = pipeline["ptype"]?.stringValue else { continue }
            if let variables = pipeline["env"] { append(variables, scope: .ptype(ptype), to: &result.values) }
            if let groups = pipeline["config"]?.strings, !groups.isEmpty { result.valuesRefs[ptype] = groups }
        }
        return result
    }

    /// The file with its variables and references rewritten from `config`, so that a later build of it agrees.
    static func rewrite(_ file: JSONValue, from config: ConfigDocument) -> JSONValue {
        guard case .object(var members) = file, case .object(let pipelines)? = members["pipeline"] else { return file }
        var groups: [String: [String: JSONValue]] = [:]
        var own: [String: [String: JSONValue]] = [:]
        for entry in config.values {
            switch entry.scope {
            case .group(let group): groups[group, default: [:]][entry.name] = .string(entry.value)
            case .ptype(let ptype): own[ptype, default: [:]][entry.name] = .string(entry.value)
            }
        }
        members["config"] = .object(groups.mapValues { .object($0) })
        members["pipeline"] = .object(
            pipelines.mapValues { pipeline in
                guard case .object(var parts) = pipeline, let ptype = parts["ptype"]?.stringValue else {
                    return pipeline
                }
                parts["env"] = own[ptype].map { .object($0) }
                parts["config"] = config.valuesRefs[ptype].map { JSONValue($0) }
                return .object(parts)
            })
        return .object(members)
    }

    private static func append(_ variables: JSONValue, scope: ConfigValue.Scope, to values: inout [ConfigValue]) {
        for (name, value) in (variables.stringMap ?? [:]).sorted(by: { $0.key < $1.key }) {
            values.append(ConfigValue(scope: scope, name: name, value: value))
        }
    }
}
