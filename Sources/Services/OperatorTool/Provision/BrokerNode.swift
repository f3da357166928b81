import CommandRunner
import FoundationEssentials
import Glibc
import OpenSSLCrypto
import PlatformModel
import ServiceRuntime

/// The installation's own RabbitMQ node, with a port mapper of its own so that it meets no other node.
struct BrokerNode: Sendable {
    let state: StateDirectory
    let ports: PortPlan
    let user: SystemUser

    private static let programs = "/usr/lib/rabbitmq/bin"
    static let virtualHost = "workflow"
    /// Builds may take 40 minutes; the broker's own limit is 30.
    static let longestTask: Duration = .seconds(2 * 3600)

    /// - Throws: ``OperatorError`` when RabbitMQ is not installed.
    init(state: StateDirectory, ports: PortPlan) throws {
        self.state = state
        self.ports = ports
        guard access("\(Self.programs)/rabbitmq-server", X_OK) == 0,
            let user = geteuid() == 0 ? SystemUser(named: "rabbitmq") : .current
        else { throw OperatorError("RabbitMQ is not installed", next: "apt-get install rabbitmq-server") }
        self.user = user
    }

    private var home: String { state.rabbitmq }
    private var namePath: String { "\(home)/node" }

    /// The node's name, another one for each installation: a node that lost its port mapper announces itself to the
    /// next one on the same port, and would keep a namesake from starting. The data belong to the name, so it stays.
    private func nodeName() throws -> String {
        if let known = try StateFile.readText(namePath)?.split(separator: "\n").first { return String(known) }
        let isOlder = access("\(home)/data/workflow@localhost", F_OK) == 0
        let name = isOlder ? "workflow@localhost" : "workflow-\(SecureRandom.hex(6))@localhost"
        try writeOwned("\(name)\n", namePath)
        return name
    }

    /// Writes the node's settings; its user and virtual host are made when the node first boots.
    func prepare(password: Secret) throws {
        for path in [home, "\(home)/data", "\(home)/logs"] {
            try StateFile.makeDirectory(path, mode: 0o750)
            try user.own(path)
        }
        let configuration = """
            # Written at every start of the platform.
            listeners.tcp.1 = 127.0.0.1:\(ports[.broker])
            default_vhost = \(Self.virtualHost)
            default_user = workflow
            default_pass = \(password.reveal())
            default_permissions.configure = .*
            default_permissions.read = .*
            default_permissions.write = .*
            default_user_tags.administrator = true
            log.console = true
            log.console.level = warning
            log.file = false
            disk_free_limit.absolute = 200MB
            # Milliseconds a task may be worked on before the broker takes it away: above the longest task's deadline.
            consumer_timeout = \(Self.longestTask.milliseconds)

            """
        try writeOwned(configuration, "\(home)/rabbitmq.conf")
        try writeOwned("[{kernel, [{inet_dist_use_interface, {127,0,0,1}}]}].\n", "\(home)/advanced.config")
        try writeOwned("", "\(home)/enabled_plugins")
    }

    private func writeOwned(_ text: String, _ path: String) throws {
        try StateFile.write(text, to: path, mode: 0o600)
        try user.own(path)
    }

    private func environment() throws -> [String: String] {
        [
            "HOME": home, "ERL_EPMD_ADDRESS": "127.0.0.1", "ERL_EPMD_PORT": "\(ports[.epmd])",
            "RABBITMQ_NODENAME": try nodeName(), "RABBITMQ_DIST_PORT": "\(ports[.brokerDistribution])",
            "RABBITMQ_CONFIG_FILE": "\(home)/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": "\(home)/advanced.config",
            "RABBITMQ_CONF_ENV_FILE": "\(home)/none",
            "RABBITMQ_ENABLED_PLUGINS_FILE": "\(home)/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": "\(home)/data", "RABBITMQ_LOG_BASE": "\(home)/logs",
            "RABBITMQ_PID_FILE": "\(home)/pid",
            // Lets the script become the node instead of staying as its parent: signals reach the node itself.
            "RUNNING_UNDER_SYSTEMD": "1",
            // Busy waiting of the schedulers buys latency nobody needs here with a core nobody can spare.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        ]
    }

    /// The leaders of the running node's queues.
    func leaders() throws -> QueueLeaders {
        QueueLeaders(environment: try environment(), identity: user.identity)
    }

    func portMapperPlan() -> ProcessPlan {
        var command = Command(
            "epmd", ["-address", "127.0.0.1", "-port", "\(ports[.epmd])"], environment: ["HOME": home],
            grace: .seconds(3))
        command.identity = user.identity
        var plan = ProcessPlan(name: "epmd", command: command, readiness: .tcp(ports[.epmd]))
        plan.patience = .seconds(3)
        plan.tier = .foundation
        return plan
    }

    func plan() throws -> ProcessPlan {
        var command = Command(
            "\(Self.programs)/rabbitmq-server", environment: try environment(), workingDirectory: home,
            grace: .seconds(30))
        command.identity = user.identity
        var plan = ProcessPlan(name: "broker", command: command, readiness: .amqp(ports[.broker]))
        plan.after = ["epmd"]
        plan.tier = .infrastructure
        plan.address = "127.0.0.1:\(ports[.broker])"
        plan.startLimit = .seconds(120)
        let leaders = try leaders()
        // Queues lose their leaders by a start after a kill, and in no other way.
        plan.afterStart = {
            let report = try await leaders.run(leaders.heal)
            return report == .init("") ? nil : "queues \(report)"
        }
        return plan
    }

    func url(password: Secret) -> Secret {
        Secret("amqp://workflow:\(password.reveal())@127.0.0.1:\(ports[.broker])/\(Self.virtualHost)")
    }
}
