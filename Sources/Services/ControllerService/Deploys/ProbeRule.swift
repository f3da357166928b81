import PlatformModel

/// Reads the probes out of a process type's healthcheck, in the shape Kubernetes gives them.
enum ProbeRule {
    /// The questions of `healthcheck`. A process that has a liveness probe only takes traffic once that has passed.
    static func probes(_ healthcheck: [String: JSONValue]?, port: Int?) -> Probes {
        let startup = probe(healthcheck?["startupProbe"], port: port)
        let liveness = probe(healthcheck?["livenessProbe"], port: port)
        let readiness = probe(healthcheck?["readinessProbe"], port: port)
        let first = startup == nil ? liveness.map { $0.askedAtOnce } : nil
        return Probes(startup: startup, readiness: readiness ?? first, liveness: liveness)
    }

    /// Nil when there is none, or none that can be asked from here.
    private static func probe(_ value: JSONValue?, port: Int?) -> Probe? {
        guard let value, let action = action(value, port: port) else { return nil }
        return Probe(
            action: action,
            initialDelay: .seconds(max(0, integer(value["initialDelaySeconds"]) ?? 0)),
            period: .seconds(max(1, integer(value["periodSeconds"]) ?? 10)),
            timeout: .seconds(max(1, integer(value["timeoutSeconds"]) ?? 1)),
            successThreshold: max(1, integer(value["successThreshold"]) ?? 1),
            failureThreshold: max(1, integer(value["failureThreshold"]) ?? 3))
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

extension Probe {
    /// The same question without its delay: failing early does no harm when it only holds back traffic.
    fileprivate var askedAtOnce: Probe {
        Probe(
            action: action, initialDelay: .zero, period: period, timeout: timeout, successThreshold: 1,
            failureThreshold: failureThreshold)
    }
}
