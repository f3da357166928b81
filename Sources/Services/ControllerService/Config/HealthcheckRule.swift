import PlatformModel

/// The rules for health probes in a config request.
enum HealthcheckRule {
    static let probes = ["livenessProbe", "readinessProbe", "startupProbe"]
    private static let actions = ["exec", "grpc", "httpGet", "tcpSocket"]
    private static let numbers = [
        "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold",
        "terminationGracePeriodSeconds",
    ]

    static func checkName(_ probe: String, of ptype: String) throws(Refusal) {
        guard probes.contains(probe) else {
            throw .field("healthcheck", "Healthcheck pattern: ^(livenessProbe|readinessProbe|startupProbe)$")
        }
    }

    /// Exactly one action must be present; a null counts as present, as it does for the command line.
    static func check(probe: String, _ value: JSONValue) throws(Refusal) {
        try checkName(probe, of: "")
        guard case .object(let members) = value else { throw problem(probe, "an object is expected") }
        let given = actions.filter { members[$0] != nil }
        guard given.count == 1, let action = given.first, case .object(let arguments)? = members[action] else {
            throw problem(probe, "exactly one of exec, grpc, httpGet, tcpSocket is expected")
        }
        for name in numbers {
            guard let number = members[name] else { continue }
            guard let integer = number.integerValue, integer >= 0 else {
                throw problem(probe, "\(name) must be an integer")
            }
        }
        try check(action: action, arguments, probe: probe)
    }

    private static func check(
        action: String, _ arguments: [String: JSONValue], probe: String
    ) throws(Refusal) {
        if action == "exec" {
            guard let command = arguments["command"]?.strings, !command.isEmpty else {
                throw problem(probe, "exec.command must be a non-empty array of strings")
            }
            return
        }
        guard let port = arguments["port"]?.integerValue, (1...65_535).contains(port) else {
            throw problem(probe, "\(action).port must be an integer between 1 and 65535")
        }
        for name in ["path", "host", "scheme", "service"] {
            guard let text = arguments[name], !text.isNull else { continue }
            guard text.stringValue != nil else { throw problem(probe, "\(action).\(name) must be a string") }
        }
        guard let headers = arguments["httpHeaders"], !headers.isNull else { return }
        guard case .array(let list) = headers,
            list.allSatisfy({ $0["name"]?.stringValue != nil && $0["value"]?.stringValue != nil })
        else { throw problem(probe, "httpGet.httpHeaders must be an array of name and value") }
    }

    private static func problem(_ probe: String, _ text: String) -> Refusal {
        .field("healthcheck", "could not validate \(probe): \(text)")
    }
}
