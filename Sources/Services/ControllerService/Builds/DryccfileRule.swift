import PlatformModel

/// The schema of a `.drycc` folder as the command line sends it.
enum DryccfileRule {
    /// Everything that is wrong with it, in the order found; an empty object is the absence of one.
    static func problems(with file: [String: JSONValue]) -> [String] {
        guard !file.isEmpty else { return [] }
        var problems = unknown(file, known: ["config", "pipeline"], in: "dryccfile")
        problems += configProblems(file["config"])
        guard case .object(let pipelines)? = file["pipeline"] else {
            return problems + ["pipeline is required and must be an object"]
        }
        var seen = Set<String>()
        for (name, pipeline) in pipelines.sorted(by: { $0.key < $1.key }) {
            guard case .object(let members) = pipeline else {
                problems.append("pipeline \(name) must be an object")
                continue
            }
            problems += pipelineProblems(members, name: name)
            if let ptype = members["ptype"]?.stringValue, !seen.insert(ptype).inserted {
                problems.append("Pipeline's ptype must be unique")
            }
        }
        return problems
    }

    private static func configProblems(_ config: JSONValue?) -> [String] {
        guard let config, !config.isNull else { return [] }
        guard case .object(let groups) = config else { return ["config must be an object"] }
        return groups.sorted { $0.key < $1.key }.flatMap { group, variables in
            groupNameProblems(group) + variableProblems(variables, in: "config \(group)")
        }
    }

    private static func pipelineProblems(_ pipeline: [String: JSONValue], name: String) -> [String] {
        var problems = unknown(
            pipeline, known: ["kind", "ptype", "build", "env", "config", "run", "deploy"], in: "pipeline \(name)")
        if pipeline["kind"] != "pipeline" { problems.append("pipeline \(name): kind must be pipeline") }
        if let ptype = pipeline["ptype"]?.stringValue {
            if let problem = ProcessTypeRule.problem(with: ptype) { problems.append(problem) }
        } else {
            problems.append("pipeline \(name): ptype is required")
        }
        if let variables = pipeline["env"] { problems += variableProblems(variables, in: "pipeline \(name)") }
        if let groups = pipeline["config"] {
            problems += groups.strings?.flatMap(groupNameProblems) ?? ["pipeline \(name): config must be an array"]
        }
        if let build = pipeline["build"] {
            problems += sectionProblems(build, known: ["docker", "arg"], in: "\(name) build")
        }
        if let run = pipeline["run"] {
            problems += sectionProblems(run, known: ["command", "args", "image", "timeout"], in: "\(name) run")
        }
        guard let deploy = pipeline["deploy"] else { return problems + ["pipeline \(name): deploy is required"] }
        return problems + sectionProblems(deploy, known: ["command", "args", "image"], in: "\(name) deploy")
    }

    private static func sectionProblems(_ section: JSONValue, known: Set<String>, in place: String) -> [String] {
        guard case .object(let members) = section else { return ["pipeline \(place) must be an object"] }
        var problems = unknown(members, known: known, in: "pipeline \(place)")
        for name in ["command", "args"] {
            guard let list = members[name] else { continue }
            if list.strings == nil { problems.append("pipeline \(place): \(name) must be an array of strings") }
        }
        for name in ["image", "docker"] {
            guard let text = members[name] else { continue }
            if text.stringValue == nil { problems.append("pipeline \(place): \(name) must be a string") }
        }
        if let timeout = members["timeout"], timeout.integerValue.map({ $0 <= 0 }) ?? true {
            problems.append("pipeline \(place): timeout must be a positive integer")
        }
        return problems
    }

    private static func variableProblems(_ variables: JSONValue, in place: String) -> [String] {
        guard let map = variables.stringMap else { return ["\(place): variables must be strings"] }
        return map.keys.sorted().compactMap(ConfigRule.key)
    }

    /// `^[a-z0-9]+(\.[a-z0-9]+)*$`
    private static func groupNameProblems(_ name: String) -> [String] {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        let isValid = parts.allSatisfy { part in
            !part.isEmpty && part.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
        }
        return isValid ? [] : ["\(name) must match ^[a-z0-9]+(\\.[a-z0-9]+)*$"]
    }

    private static func unknown(_ members: [String: JSONValue], known: Set<String>, in place: String) -> [String] {
        members.keys.filter { !known.contains($0) }.sorted().map { "\(place): \($0) is not known" }
    }
}
