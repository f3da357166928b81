import CommandRunner
import CurlTransfer
import FoundationEssentials
import HTTPTypes
import ServiceRuntime

/// Checks of the running servers, each from outside.
struct ServiceChecks: Sendable {
    let state: StateDirectory
    let settings: Settings
    let client: HTTPClient

    private var ports: PortPlan { settings.ports }
    private var names: PlatformNames { PlatformNames(domain: settings.domain, ports: settings.ports) }

    var all: [Check] {
        [
            Check("servers") { try servers() },
            Check("database") { try await database() },
            Check("migrations") { try await migrations() },
            Check("broker") { broker() },
            Check("queues") { try await queues() },
            Check("queue leaders") { try await queueLeaders() },
            Check("registry") { try await registry() },
            Check("held images") { try await heldImages() },
            Check("controller") { try await ready("controller", ports[.controller]) },
            Check("passport") { try await ready("passport", ports[.passport]) },
            Check("worker") { try await ready("worker", ports[.worker]) },
            Check("builder") { try await ready("builder", ports[.builderHealth]) },
            Check("logger") { try await ready("logger", ports[.logger]) },
            Check("shipper") { try await ready("shipper", ports[.shipper]) },
            Check("router") { try await ready("router", ports[.router]) },
            Check("entrance") { try await entrance() },
            Check("entrance, https") { try await secureEntrance() },
            Check("git over ssh") { ssh() },
            Check("time skew") { try await skew() },
        ]
    }

    private func servers() throws -> Finding {
        let services = try PlatformState.read(from: state)?.services ?? []
        let bad = services.filter { $0.phase != .running || $0.process?.isAlive != true }
        if !bad.isEmpty {
            let names = bad.map { "\($0.name) \($0.phase.rawValue)" }.joined(separator: ", ")
            return .fail(names, next: "workflow logs \(bad[0].name)")
        }
        let restarted = services.filter { $0.restarts > 0 }
        if let first = restarted.first {
            let lives = restarted.map { "\($0.name) started again \($0.restarts) times (\($0.lastExit ?? ""))" }
            return .warn(lives.joined(separator: ", "), next: "workflow logs \(first.name)")
        }
        return .ok("\(services.count) run")
    }

    private func database() async throws -> Finding {
        let cluster = try PostgresCluster(state: state, port: ports[.postgres])
        let answer = try await cluster.query(
            """
            SELECT current_setting('server_version'), sum(numbackends), pg_size_pretty(sum(pg_database_size(datname)))
              FROM pg_stat_database WHERE datname IS NOT NULL;
            """)
        return .ok("version, sessions, size: \(answer.replacing("|", with: ", "))")
    }

    private func migrations() async throws -> Finding {
        let cluster = try PostgresCluster(state: state, port: ports[.postgres])
        var seen: [String] = []
        for database in ["controller", "passport"] {
            let answer = try await cluster.query(
                "SELECT count(*), max(number) FROM schema_migrations;", database: database)
            seen.append("\(database) \(answer.split(separator: "|").last ?? "none")")
        }
        return .ok("at " + seen.joined(separator: ", "))
    }

    private func broker() -> Finding {
        let header: [UInt8] = Array("AMQP".utf8) + [0, 0, 9, 1]
        return LoopbackProbe.exchange(port: ports[.broker], sending: header, expecting: 1)
            ? .ok("answers on 127.0.0.1:\(ports[.broker])")
            : .fail("no answer on 127.0.0.1:\(ports[.broker])", next: "workflow logs broker")
    }

    private func queues() async throws -> Finding {
        let queues = try await QueueStatus.all(state: state, settings: settings)
        let dead = queues.filter { $0.deadLetters > 0 }
        if !dead.isEmpty {
            return .warn(
                dead.map { "\($0.deadLetters) dead letters in \($0.name)" }.joined(separator: ", "),
                next: "workflow dead-letters list")
        }
        if let idle = queues.first(where: { $0.consumers == 0 }) {
            return .fail("nobody consumes \(idle.name)", next: "workflow status")
        }
        return .ok(queues.map { "\($0.name) \($0.ready) waiting" }.joined(separator: ", "))
    }

    /// Heals what it finds: an election is safe whatever the cause.
    private func queueLeaders() async throws -> Finding {
        let leaders = try BrokerNode(state: state, ports: ports).leaders()
        let report = try await leaders.run(leaders.heal)
        if !report.leaderless.isEmpty { return .fail("\(report)", next: "workflow logs broker") }
        return report.healed.isEmpty
            ? .ok("\(report)") : .warn("\(report)", next: "nothing: their tasks go on; workflow status shows them")
    }

    private func registry() async throws -> Finding {
        let response = try await get("http://127.0.0.1:\(ports[.registry])/v2/")
        return response.status == 401 || response.status == 200
            ? .ok("answers \(response.status) to strangers")
            : .fail("answers \(response.status)", next: "workflow logs registry")
    }

    /// Whether the registry was told of every release; it is within seconds of the release.
    private func heldImages() async throws -> Finding {
        let cluster = try PostgresCluster(state: state, port: ports[.postgres])
        let answer = try await cluster.query(
            """
            SELECT count(*), count(*) FILTER (WHERE NOT images_held AND created < now() - interval '2 minutes')
              FROM releases WHERE build IS NOT NULL;
            """, database: "controller")
        let numbers = answer.split(separator: "|").compactMap { Int($0) }
        guard numbers.count == 2 else { throw OperatorError("the database said \(answer)") }
        return numbers[1] == 0
            ? .ok("the registry keeps the images of \(numbers[0]) releases")
            : .warn("the registry was not told of \(numbers[1]) releases", next: "workflow logs worker")
    }

    private func ready(_ name: String, _ port: Int) async throws -> Finding {
        let response = try await get("http://127.0.0.1:\(port)/readiness")
        if response.isSuccess { return .ok("ready on 127.0.0.1:\(port)") }
        let text = response.text.split(whereSeparator: \.isNewline).joined(separator: ", ")
        return .fail("\(response.status): \(text)", next: "workflow logs \(name)")
    }

    /// Through nginx, by address: names are another check's matter.
    private func entrance() async throws -> Finding {
        var request = TransferRequest(url: "http://127.0.0.1:\(ports[.http])/healthz", timeout: .seconds(5))
        request.headers[HTTPField.Name("Host") ?? .accept] = names.controllerHost
        let response = try await client.send(request)
        return response.isSuccess
            ? .ok("\(names.controllerURL) answers")
            : .fail("\(names.controllerURL): \(response.status)", next: "workflow logs router")
    }

    private func secureEntrance() async throws -> Finding {
        let authority = LocalAuthority(state: state, domain: settings.domain).authorityPath
        var request = TransferRequest(url: "\(names.secureURL(names.controllerHost))/healthz", timeout: .seconds(5))
        request.tls.trust = .file(authority)
        let response = try await client.send(request)
        return response.isSuccess
            ? .ok("\(names.secureURL(names.controllerHost)), signed by the local authority")
            : .fail("\(response.status)", next: "workflow logs router")
    }

    private func ssh() -> Finding {
        let hello = Array("SSH-2.0-doctor\r\n".utf8)
        return LoopbackProbe.exchange(port: ports[.ssh], sending: hello, expecting: UInt8(ascii: "S"))
            ? .ok("answers on port \(ports[.ssh])")
            : .fail("no answer on port \(ports[.ssh])", next: "workflow logs builder")
    }

    /// The database's clock and this program's: they are one machine's and must agree.
    private func skew() async throws -> Finding {
        let cluster = try PostgresCluster(state: state, port: ports[.postgres])
        let answer = try await cluster.query("SELECT extract(epoch FROM clock_timestamp());")
        let seconds = abs((Double(answer) ?? 0) - Date.now.timeIntervalSince1970)
        let text = "\(Int(seconds * 1000)) ms to the database"
        return seconds > 2 ? .warn(text, next: "look for a virtual machine that was paused") : .ok(text)
    }

    private func get(_ url: String) async throws -> TransferResponse {
        try await client.send(TransferRequest(url: url, timeout: .seconds(5)))
    }
}
