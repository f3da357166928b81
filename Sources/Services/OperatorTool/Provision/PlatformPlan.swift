import CommandRunner
import FoundationEssentials
import Glibc
import PlatformModel
import ServiceRuntime

/// The platform's own services as processes: which program, with which settings, after what.
///
/// Secrets never stand in an environment: each service has a directory with a file a key.
struct PlatformPlan: Sendable {
    let state: StateDirectory
    let settings: Settings
    let secrets: SecretValues
    let programs: ProgramDirectory
    let engine: ContainerEngine

    init(state: StateDirectory, settings: Settings, programs: ProgramDirectory) throws {
        self.state = state
        self.settings = settings
        self.programs = programs
        secrets = try SecretValues.load(from: state)
        engine = ContainerEngine(state: state)
    }

    private var ports: PortPlan { settings.ports }
    private var names: PlatformNames { PlatformNames(domain: settings.domain, ports: settings.ports) }
    private var controllerURL: String { "http://127.0.0.1:\(ports[.controller])" }
    private var passportURL: String { "http://127.0.0.1:\(ports[.passport])/oauth" }
    private var registryHost: String { "127.0.0.1:\(ports[.registry])" }

    /// Writes every service's secret files.
    func writeSecrets(cluster: PostgresCluster, broker: BrokerNode) throws {
        let amqp = broker.url(password: secrets[.broker])
        try SecretValues.write(
            [
                "DATABASE_URL": cluster.url(database: "passport", password: secrets[.passportDatabase]),
                "PLATFORM_KEY": secrets[.passportKey],
            ], for: "passport", in: state)
        try SecretValues.write(
            [
                "DATABASE_URL": cluster.url(database: "controller", password: secrets[.controllerDatabase]),
                "AMQP_URL": amqp, "PLATFORM_KEY": secrets[.controllerKey],
                "OIDC_CLIENT_SECRET": secrets[.controllerClient],
            ], for: "controller", in: state)
        try SecretValues.write(
            ["AMQP_URL": amqp, "OIDC_CLIENT_SECRET": secrets[.builderClient]], for: "builder", in: state)
        try SecretValues.write(["OIDC_CLIENT_SECRET": secrets[.routerClient]], for: "router", in: state)
        try SecretValues.write(["OIDC_CLIENT_SECRET": secrets[.shipperClient]], for: "shipper", in: state)
        try SecretValues.write([:], for: "registry", in: state)
        try SecretValues.write([:], for: "logger", in: state)
    }

    /// A program of the platform with the settings all of them share.
    func command(
        _ program: String, _ arguments: [String] = [], secretsOf service: String, _ own: [String: String]
    ) -> Command {
        var environment = [
            "SECRETS_DIRECTORY": state.secrets(of: service), "SHUTDOWN_TIMEOUT": "20", "HOME": state.run,
            "OIDC_ISSUER": names.issuer, "OIDC_INTERNAL_URL": passportURL, "CONTROLLER_URL": controllerURL,
        ]
        environment.merge(own) { _, new in new }
        return Command(
            programs.path(program), arguments, environment: environment, workingDirectory: state.root,
            grace: .seconds(25))
    }

    private func plan(_ name: String, _ command: Command, port: Int, after: [String]) -> ProcessPlan {
        var plan = ProcessPlan(
            name: name, command: command, readiness: .http("http://127.0.0.1:\(port)/readiness"), after: after)
        plan.address = "127.0.0.1:\(port)"
        return plan
    }

    func registry() -> ProcessPlan {
        let command = command(
            "registry", ["serve"], secretsOf: "registry",
            [
                "REGISTRY_LISTEN": registryHost, "REGISTRY_STORAGE": "file://\(state.registry)",
                "REGISTRY_AUTH": "token",
                "REGISTRY_TOKEN_REALM": "\(controllerURL)/v2/registry/token",
                "REGISTRY_TOKEN_SERVICE": "workflow-registry", "REGISTRY_TOKEN_ISSUER": "workflow-controller",
                "REGISTRY_TOKEN_KEYS": RegistryTokenKeys(state: state).publicPath,
                "REGISTRY_RULES": RegistryRules(state: state).path,
            ])
        return plan("registry", command, port: ports[.registry], after: ["state"])
    }

    func logger() -> ProcessPlan {
        let command = command(
            "logger", secretsOf: "logger",
            [
                "LOGGER_LISTEN": "127.0.0.1:\(ports[.logger])",
                "LOGGER_FORWARD_LISTEN": "127.0.0.1:\(ports[.loggerForward])", "LOGGER_AUTH": "token",
                "LOGGER_SPOOL_DIRECTORY": state.logSpool,
            ])
        return plan("logger", command, port: ports[.logger], after: ["state"])
    }

    func shipper() -> ProcessPlan {
        let command = command(
            "fluentd-shipper", secretsOf: "shipper",
            [
                "SHIPPER_LOG_DIRECTORY": state.podLogs, "SHIPPER_STATE_DIRECTORY": state.shipper,
                "SHIPPER_METRICS_LISTEN": "127.0.0.1:\(ports[.shipper])", "OIDC_CLIENT_ID": "shipper",
                "LOGGER_FORWARD_ADDRESS": "127.0.0.1:\(ports[.loggerForward])",
            ])
        var plan = plan("shipper", command, port: ports[.shipper], after: ["logger"])
        plan.tier = .entrance
        return plan
    }

    /// The clients passport knows from its start.
    var clients: IdentityClients { IdentityClients(state: state, names: names, secrets: secrets) }

    func passportCommand(_ arguments: [String]) -> Command {
        command(
            "passport", arguments, secretsOf: "passport",
            ["PASSPORT_LISTEN": "127.0.0.1:\(ports[.passport])", "PASSPORT_CLIENTS_FILE": clients.path])
    }

    func passport() -> ProcessPlan {
        plan("passport", passportCommand(["serve"]), port: ports[.passport], after: ["databases"])
    }

    private var controllerSettings: [String: String] {
        var values = [
            "CONTROLLER_LISTEN": "127.0.0.1:\(ports[.controller])",
            "CONTROLLER_WORKER_LISTEN": "127.0.0.1:\(ports[.worker])",
            "OIDC_CLIENT_ID": "controller",
            "PLATFORM_DOMAIN": settings.domain.text, "PUBLIC_PORT": "\(ports[.http])",
            "LOGGER_URL": "http://127.0.0.1:\(ports[.logger])", "REGISTRY_HOST": registryHost,
            "REGISTRY_TOKEN_SERVICE": "workflow-registry", "REGISTRY_TOKEN_ISSUER": "workflow-controller",
            "REGISTRY_TOKEN_PRIVATE_KEY_FILE": RegistryTokenKeys(state: state).privatePath,
        ]
        values.merge(engine.clientEnvironment) { _, new in new }
        return values
    }

    func controllerCommand(_ arguments: [String]) -> Command {
        command("controller", arguments, secretsOf: "controller", controllerSettings)
    }

    func controller() -> ProcessPlan {
        plan("controller", controllerCommand(["serve"]), port: ports[.controller], after: ["migrations", "broker"])
    }

    func worker() -> ProcessPlan {
        plan(
            "worker", controllerCommand(["worker"]), port: ports[.worker], after: ["controller", "engine", "registry"])
    }

    func builder() -> ProcessPlan {
        var values = [
            "BUILDER_SSH_LISTEN": "\(settings.bind.first ?? "127.0.0.1"):\(ports[.ssh])",
            "BUILDER_HEALTH_LISTEN": "127.0.0.1:\(ports[.builderHealth])", "OIDC_CLIENT_ID": "builder",
            "BUILDER_GIT_DIRECTORY": state.repositories, "BUILDER_NAME": "builder",
            "BUILDER_IMAGEBUILDER": programs.path("imagebuilder"), "STORAGE_URL": "file://\(state.storage)",
        ]
        values.merge(engine.buildEnvironment) { _, new in new }
        values["BUILDER_IMAGEBUILDER_ENVIRONMENT"] = engine.buildEnvironment.keys.sorted().joined(separator: ",")
        let command = command("builder", secretsOf: "builder", values)
        var plan = plan("builder", command, port: ports[.builderHealth], after: ["controller", "engine", "registry"])
        plan.tier = .entrance
        plan.address = "\(settings.bind.first ?? "127.0.0.1"):\(ports[.ssh])"
        return plan
    }

    func router(authority: LocalAuthority) -> ProcessPlan {
        let hosts = [
            "\(names.controllerHost)=127.0.0.1:\(ports[.controller])",
            "\(names.passportHost)=127.0.0.1:\(ports[.passport])",
        ]
        let command = command(
            "router", secretsOf: "router",
            [
                "ROUTER_CONTROL_LISTEN": "127.0.0.1:\(ports[.router])", "ROUTER_HTTP_PORT": "\(ports[.http])",
                "ROUTER_HTTPS_PORT": "\(ports[.https])", "ROUTER_BIND": settings.bind.joined(separator: ","),
                "ROUTER_STATE_DIRECTORY": state.nginx, "ROUTER_PLATFORM_HOSTS": hosts.joined(separator: ","),
                "ROUTER_TLS_CERTIFICATE": authority.chainPath, "ROUTER_TLS_KEY": authority.keyPath,
                "OIDC_CLIENT_ID": "router",
            ])
        var plan = plan("router", command, port: ports[.router], after: ["controller", "passport"])
        plan.tier = .entrance
        plan.address = names.url("*.\(settings.domain)")
        return plan
    }
}

/// Where the platform's programs are: beside the one that runs, unless set.
struct ProgramDirectory: Hashable, Sendable {
    let path: String

    func path(_ program: String) -> String { "\(path)/\(program)" }

    static let all = [
        "builder", "controller", "fluentd-shipper", "imagebuilder", "logger", "passport", "registry", "router",
    ]

    /// The programs that are missing.
    var missing: [String] { Self.all.filter { access(path($0), X_OK) != 0 } }

    /// The directory of the running program.
    static func besideThisProgram() throws -> ProgramDirectory {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return ProgramDirectory(path: own.split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" })
    }
}
