import PlatformModel

/// Reads the readiness probe out of a process type's healthcheck, in the shape Kubernetes gives it.
enum ReadinessRule {
    /// The `readinessProbe`, else the `startupProbe`, else the `livenessProbe`; nil when there is none that can be asked.
    static func probe(_ healthcheck: [String: JSONValue]?, port: Int?) -> Probe? {
        let names = ["readinessProbe", "startupProbe", "livenessProbe"]
        for name in names {
            guard let value = healthcheck?[name], let action = action(value, port: port) else { continue }
            return Probe(
                action: action,
                initialDelay: .seconds(integer(value["initialDelaySeconds"]) ?? 0),
                period: .seconds(max(1, integer(value["periodSeconds"]) ?? 10)),
                timeout: .seconds(max(1, integer(value["timeoutSeconds"]) ?? 1)),
                successThreshold: max(1, integer(value["successThreshold"]) ?? 1),
                failureThreshold: max(1, integer(value["failureThreshold"]) ?? 3))
        }
        return nil
    }

    private static func action(_ value: JSONValue, port: Int?) -> Probe.Action? {
        if let http = value["httpGet"], http.objectValue != nil, let port = integer(http["port"]) ?? port {
            var headers: [String: String] = [:]
            for header in http["httpHeaders"]?.arrayValue ?? [] {
                if let name = header["name"]?.stringValue { headers[name] = header["value"]?.stringValue ?? "" }
            }
            return .http(path: http["path"]?.stringValue ?? "/", port: port, headers: headers)
        }
        if let tcp = value["tcpSocket"], let port = integer(tcp["port"]) ?? port { return .tcp(port: port) }
        if let command = value["exec"]?["command"]?.arrayValue {
            return .exec(command: command.compactMap(\.stringValue))
        }
        return nil
    }

    /// Numbers may have been sent as text.
    private static func integer(_ value: JSONValue?) -> Int? {
        value?.integerValue ?? value?.stringValue.flatMap { Int($0) }
    }
}
