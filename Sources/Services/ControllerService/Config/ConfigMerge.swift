import PlatformModel

/// How the values of a request meet those that are there.
enum ValuesMode: Sendable {
    /// Entries are replaced and added one by one.
    case merge
    /// All old entries of the process types and groups named in the request are dropped first.
    case replaceNamed
}

extension ConfigDocument {
    /// The config after `change`.
    ///
    /// - Parameter structure: process types in use; their limits and timeouts can be replaced but not removed.
    /// - Throws: ``Refusal`` 422 when something to be removed is not there or is in use.
    func applying(
        _ change: ConfigChange, mode: ValuesMode, structure: Set<String>
    ) throws(Refusal) -> ConfigDocument {
        var result = self
        result.mergeValues(change.values, mode: mode)
        try result.mergeRefs(change.valuesRefs)
        try Self.mergeFlat(&result.limits, change.limits, field: "limits", structure: structure)
        try Self.mergeFlat(
            &result.terminationGracePeriod, change.terminationGracePeriod, field: "termination_grace_period",
            structure: structure)
        try Self.mergeNested(&result.tags, change.tags, field: "tags")
        try Self.mergeNested(&result.registry, change.registry, field: "registry")
        try Self.mergeNested(&result.healthcheck, change.healthcheck, field: "healthcheck")
        try Self.mergeNested(&result.lifecycle, change.lifecycle, field: "lifecycle")
        try result.removeProbes(change.probesRemovedEverywhere)
        return result
    }

    /// The config without the named groups in the named process types; unknown ones are ignored.
    func detaching(_ groups: [String: [String]]) -> ConfigDocument {
        var result = self
        for (ptype, names) in groups {
            guard let present = result.valuesRefs[ptype] else { continue }
            let kept = present.filter { !names.contains($0) }
            result.valuesRefs[ptype] = kept.isEmpty ? nil : kept
        }
        return result
    }

    private mutating func mergeValues(_ edits: [ConfigValueEdit], mode: ValuesMode) {
        if mode == .replaceNamed {
            let named = Set(edits.map(\.scope))
            values.removeAll { named.contains($0.scope) }
        }
        for edit in edits {
            let index = values.firstIndex { $0.scope == edit.scope && $0.name == edit.name }
            switch (edit.edit, index) {
            case (.remove, let index?): values.remove(at: index)
            case (.remove, nil): continue
            case (.set(""), let index?) where mode == .merge: values.remove(at: index)
            case (.set(let text), let index?):
                values[index] = ConfigValue(scope: edit.scope, name: edit.name, value: text)
            case (.set(let text), nil):
                values.append(ConfigValue(scope: edit.scope, name: edit.name, value: text))
            }
        }
    }

    private mutating func mergeRefs(_ edits: [String: Edit<[String]>]) throws(Refusal) {
        for (ptype, edit) in edits.sorted(by: { $0.key < $1.key }) {
            switch edit {
            case .set(let groups) where !groups.isEmpty:
                var present = valuesRefs[ptype] ?? []
                for group in groups where !present.contains(group) { present.append(group) }
                valuesRefs[ptype] = present
            case .set, .remove:
                guard valuesRefs.removeValue(forKey: ptype) != nil else {
                    throw .unprocessable("\(ptype) does not exist under values_refs")
                }
            }
        }
    }

    private static func mergeFlat(
        _ target: inout [String: String], _ edits: ConfigChange.Flat, field: String, structure: Set<String>
    ) throws(Refusal) {
        for (ptype, edit) in edits.sorted(by: { $0.key < $1.key }) {
            switch edit {
            case .set(let text): target[ptype] = text
            case .remove:
                guard !structure.contains(ptype) else {
                    throw .unprocessable("the \(ptype) has already been used and cannot be deleted")
                }
                guard target.removeValue(forKey: ptype) != nil else {
                    throw .unprocessable("\(ptype) does not exist under \(field)")
                }
            }
        }
    }

    private static func mergeNested<Value>(
        _ target: inout [String: [String: Value]], _ edits: ConfigChange.Nested<Value>, field: String
    ) throws(Refusal) {
        for (ptype, edit) in edits.sorted(by: { $0.key < $1.key }) {
            guard case .set(let members) = edit else {
                guard target.removeValue(forKey: ptype) != nil else {
                    throw .unprocessable("\(ptype) does not exist under \(field)")
                }
                continue
            }
            var present = target[ptype] ?? [:]
            for (key, member) in members.sorted(by: { $0.key < $1.key }) {
                switch member {
                case .set(let value): present[key] = value
                case .remove:
                    guard present.removeValue(forKey: key) != nil else {
                        throw .unprocessable("\(key) does not exist under \(field)")
                    }
                }
            }
            target[ptype] = present
        }
    }

    private mutating func removeProbes(_ probes: Set<String>) throws(Refusal) {
        for probe in probes.sorted() {
            let holders = healthcheck.filter { $0.value[probe] != nil }.keys
            guard !holders.isEmpty else { throw .unprocessable("\(probe) does not exist under healthcheck") }
            for ptype in holders { healthcheck[ptype]?[probe] = nil }
        }
    }
}
