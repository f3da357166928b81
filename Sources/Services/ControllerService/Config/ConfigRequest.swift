import PlatformModel

extension ConfigChange {
    /// Reads and checks the body of a config request.
    ///
    /// - Throws: ``Refusal`` 400 keyed by the member that breaks its rule.
    init(body: [String: JSONValue], plans: LimitCatalogue) throws(Refusal) {
        self.init()
        values = try Self.given(body, "values").map(Self.readValues) ?? []
        valuesRefs = try Self.members(body, "values_refs", key: ConfigRule.ptype) { (value) throws(Refusal) in
            try Self.readRefs(value)
        }
        limits = try Self.members(body, "limits", key: ConfigRule.ptype) { (value) throws(Refusal) in
            try Self.readLimit(value, plans: plans)
        }
        terminationGracePeriod = try Self.members(body, "termination_grace_period", key: ConfigRule.ptype) {
            (value) throws(Refusal) in try Self.readGracePeriod(value)
        }
        tags = try Self.nested(body, "tags", key: ConfigRule.ptype) { (key, value) throws(Refusal) in
            try ConfigRule.checkTag(key: key, value: value)
            return value.scalarText ?? ""
        }.mapValues(Self.emptyIsRemoved)
        registry = try Self.nested(body, "registry", key: ConfigRule.key) { (key, value) throws(Refusal) in
            try ConfigRule.require(ConfigRule.key(key), "registry")
            guard let text = value.scalarText else { throw .field("registry", "could not validate \(key)") }
            return text
        }
        try readHealthcheck(body)
        lifecycle = try Self.nested(body, "lifecycle", key: ConfigRule.ptype) { (_, value) in value }
    }

    /// A member that is null counts as not given, as the command line sends it for what it does not set.
    private static func given(_ body: [String: JSONValue], _ field: String) -> JSONValue? {
        guard let value = body[field], !value.isNull else { return Optional.none }
        return value
    }

    private static func readValues(_ value: JSONValue) throws(Refusal) -> [ConfigValueEdit] {
        guard case .array(let entries) = value else {
            throw .field("values", "could not validate values: an array is expected")
        }
        var edits: [ConfigValueEdit] = []
        for entry in entries { edits.append(try readValue(entry)) }
        return edits
    }

    private static func readValue(_ entry: JSONValue) throws(Refusal) -> ConfigValueEdit {
        guard case .object(let given) = entry else {
            throw .field("values", "could not validate values: each entry is an object")
        }
        // The command line's library writes the scope that was not chosen as an empty string.
        let members = given.filter { !(["ptype", "group"].contains($0.key) && ($0.value.isNull || $0.value == "")) }
        guard let name = members["name"]?.stringValue, let value = members["value"], members.count == 3 else {
            throw .field("values", "could not validate values: name, value and one of ptype, group are expected")
        }
        let scope: ConfigValue.Scope
        if let ptype = members["ptype"]?.stringValue {
            try ConfigRule.require(ConfigRule.ptype(ptype), "values")
            scope = .ptype(ptype)
        } else if let group = members["group"]?.stringValue {
            try ConfigRule.require(ConfigRule.key(group), "values")
            scope = .group(group)
        } else {
            throw .field("values", "could not validate values: name, value and one of ptype, group are expected")
        }
        try ConfigRule.require(ConfigRule.key(name), "values")
        if value.isNull { return ConfigValueEdit(scope: scope, name: name, edit: .remove) }
        guard let text = value.stringValue, !text.utf8.contains(0) else {
            throw .field("values", "could not validate values: the value of \(name) must be a string or null")
        }
        if name == "PORT", !text.isEmpty { try ConfigRule.checkPort(text) }
        return ConfigValueEdit(scope: scope, name: name, edit: .set(text))
    }

    private static func readRefs(_ value: JSONValue) throws(Refusal) -> [String] {
        guard let groups = value.strings else {
            throw .field("values_refs", "could not validate values_refs: an array of group names is expected")
        }
        for group in groups { try ConfigRule.require(ConfigRule.key(group), "values_refs") }
        return groups
    }

    private static func readLimit(_ value: JSONValue, plans: LimitCatalogue) throws(Refusal) -> String {
        guard let id = value.scalarText, let plan = plans.plan(id), !plan.disabled else {
            throw .field("limits", "The limit plan \(value.scalarText ?? "") does not exist")
        }
        return id
    }

    private static func readGracePeriod(_ value: JSONValue) throws(Refusal) -> String {
        let text = value.scalarText ?? ""
        guard value.scalarText != nil, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), text.count < 10 else {
            throw .field(
                "termination_grace_period",
                "Termination Grace Period format: \(text), where value must be a numeric")
        }
        return text
    }

    private mutating func readHealthcheck(_ body: [String: JSONValue]) throws(Refusal) {
        guard let value = Self.given(body, "healthcheck") else { return }
        guard case .object(var ptypes) = value else {
            throw .field("healthcheck", "could not validate healthcheck: an object is expected")
        }
        for probe in HealthcheckRule.probes {
            guard case .object(let inner)? = ptypes[probe], inner == [probe: .null] else { continue }
            ptypes[probe] = nil
            probesRemovedEverywhere.insert(probe)
        }
        healthcheck = try Self.nested(["healthcheck": .object(ptypes)], "healthcheck", key: ConfigRule.ptype) {
            (probe, value) throws(Refusal) in
            try HealthcheckRule.check(probe: probe, value)
            return value
        }
        for (ptype, edit) in healthcheck {
            guard case .set(let probes) = edit else { continue }
            for probe in probes.keys { try HealthcheckRule.checkName(probe, of: ptype) }
        }
    }

    private static func members<Value>(
        _ body: [String: JSONValue], _ field: String, key: (String) -> String?,
        read: (JSONValue) throws(Refusal) -> Value
    ) throws(Refusal) -> [String: Edit<Value>] {
        guard let value = given(body, field) else { return [:] }
        guard case .object(let members) = value else {
            throw .field(field, "could not validate \(field): an object is expected")
        }
        var edits: [String: Edit<Value>] = [:]
        for (name, member) in members.sorted(by: { $0.key < $1.key }) {
            try ConfigRule.require(key(name), field)
            edits[name] = member.isNull ? .remove : .set(try read(member))
        }
        return edits
    }

    /// No labels at all mean the same as null.
    private static func emptyIsRemoved(_ edit: Edit<[String: Edit<String>]>) -> Edit<[String: Edit<String>]> {
        guard case .set(let labels) = edit, labels.isEmpty else { return edit }
        return .remove
    }

    private static func nested<Value>(
        _ body: [String: JSONValue], _ field: String, key: (String) -> String?,
        read: (String, JSONValue) throws(Refusal) -> Value
    ) throws(Refusal) -> Nested<Value> {
        try members(body, field, key: key) { (member) throws(Refusal) in
            guard case .object(let inner) = member else {
                throw .field(field, "could not validate \(field): an object per process type is expected")
            }
            var edits: [String: Edit<Value>] = [:]
            for (name, value) in inner.sorted(by: { $0.key < $1.key }) {
                edits[name] = value.isNull ? .remove : .set(try read(name, value))
            }
            return edits
        }
    }
}
