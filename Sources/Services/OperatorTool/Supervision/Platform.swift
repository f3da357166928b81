import CommandRunner
import CurlTransfer
import FoundationEssentials
import Glibc
import Logging
import OpenSSLCrypto
import PlatformModel
import ServiceRuntime

/// One installation brought up: the order of everything from the first folder to the last server.
struct Platform: Sendable {
    let state: StateDirectory
    let programs: ProgramDirectory
    let supervisor: Supervisor
    let logger: Logger
    let progress: @Sendable (ProgressEvent) -> Void

    /// Starts everything. The settings must have been written before.
    func start() async throws {
        let clock = ContinuousClock()
        let began = clock.now
        let settings = try await prepare()
        try await servers(settings).run()
        await supervisor.declareReady()
        progress(.ready(milliseconds: (clock.now - began).milliseconds))
    }

    /// What must be there before any server: no orphans, known ports, secrets, certificates.
    private func prepare() async throws -> Settings {
        let missing = programs.missing
        guard missing.isEmpty else {
            throw BootSequence.Failed(
                step: "programs",
                cause: OperatorError(
                    "\(missing.joined(separator: ", ")) not found in \(programs.path)", next: "make release"))
        }
        let leftovers = Leftovers(state: state, sparesApps: true)
        try await perform("leftovers") {
            let stopped =
                try await Orphans(state: state, logger: logger).stopAll() + leftovers.stopAll()
            return stopped.isEmpty ? "none" : "stopped \(stopped.joined(separator: ", "))"
        }
        var settings = try Settings.read(from: state) ?? Settings.standard()
        try await perform("ports") {
            let edge = leftovers.edgePorts
            try settings.ports.complete(
                isFree: { [settings] use, port in
                    settings.isFree(port, for: use) || use.isOfEdge && edge.contains(port)
                }, anyFree: PortProbe.anyFree)
            try settings.write(to: state)
            return "http \(settings.ports[.http]), https \(settings.ports[.https]), ssh \(settings.ports[.ssh])"
        }
        return settings
    }

    private func perform(_ name: String, _ body: () async throws -> String) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        do {
            let detail = try await body()
            progress(.done(step: name, milliseconds: (clock.now - start).milliseconds, detail: detail))
        } catch {
            throw BootSequence.Failed(step: name, cause: error)
        }
    }

    private func servers(_ settings: Settings) async throws -> BootSequence {
        let names = PlatformNames(domain: settings.domain, ports: settings.ports)
        let plans = try PlatformPlan(state: state, settings: settings, programs: programs)
        let cluster = try PostgresCluster(state: state, port: settings.ports[.postgres])
        let broker = try BrokerNode(state: state, ports: settings.ports)
        let authority = LocalAuthority(state: state, domain: settings.domain)
        let steps =
            [
                BootSequence.Step("state") {
                    try plans.writeSecrets(cluster: cluster, broker: broker)
                    try plans.clients.write()
                    try RegistryTokenKeys(state: state).ensure()
                    try RegistryRules(state: state).ensure()
                    return state.root
                },
                BootSequence.Step("certificates") { try certificates(authority) },
                BootSequence.Step("names") { try announce(names, in: settings) },
            ] + infrastructure(cluster: cluster, broker: broker, engine: plans.engine, secrets: plans.secrets)
            + services(plans, authority: authority)
        return BootSequence(steps: steps, progress: progress)
    }

    private func certificates(_ authority: LocalAuthority) throws -> String {
        let certificate = try authority.ensure()
        return "\(certificate.dnsNames.joined(separator: ", ")) until \(certificate.notAfter.wire)"
    }

    private func announce(_ names: PlatformNames, in settings: Settings) throws -> String {
        guard let path = settings.hostsFile else { return "hosts file left alone" }
        let changed = try HostsFile(path: path, owner: state.root).update(names: names.hosts)
        return changed ? "\(path) names this machine for \(names.hosts.count) hosts" : "\(path) is up to date"
    }

    private func infrastructure(
        cluster: PostgresCluster, broker: BrokerNode, engine: ContainerEngine, secrets: SecretValues
    ) -> [BootSequence.Step] {
        [
            BootSequence.Step("postgres", after: ["state"]) {
                try await cluster.prepare()
                return try await serve(cluster.plan())
            },
            BootSequence.Step("databases", after: ["postgres"]) {
                try await cluster.ensureDatabase("passport", password: secrets[.passportDatabase])
                try await cluster.ensureDatabase("controller", password: secrets[.controllerDatabase])
                return "passport, controller"
            },
            BootSequence.Step("epmd", after: ["state"]) {
                try broker.prepare(password: secrets[.broker])
                return try await serve(broker.portMapperPlan())
            },
            BootSequence.Step("broker", after: ["epmd"]) { try await serve(try broker.plan()) },
            BootSequence.Step("engine", after: ["state"]) {
                let found = try await engine.prepare()
                _ = try await serve(engine.plan())
                return found
            },
        ]
    }

    private func services(_ plans: PlatformPlan, authority: LocalAuthority) -> [BootSequence.Step] {
        let plain = [
            plans.registry(), plans.logger(), plans.shipper(), plans.passport(), plans.controller(),
            plans.worker(), plans.builder(),
        ].map { plan in BootSequence.Step(plan.name, after: plan.after) { try await serve(plan) } }
        let router = plans.router(authority: authority)
        return plain + [
            BootSequence.Step("administrator", after: ["passport"]) {
                try await FirstAdministrator(state: state, progress: progress).ensure { plans.passportCommand($0) }
            },
            BootSequence.Step("migrations", after: ["databases"]) {
                try await CommandRunner.check(plans.controllerCommand(["migrate"]))
                return "controller"
            },
            BootSequence.Step("router", after: router.after + ["certificates"]) { try await serve(router) },
        ]
    }

    private func serve(_ plan: ProcessPlan) async throws -> String {
        try await supervisor.start(plan)
        return plan.address
    }
}

extension Settings {
    /// Whether this process could serve the use on the port.
    func isFree(_ port: Int, for use: PortPlan.Use) -> Bool {
        (use.isPublic ? bind : ["127.0.0.1"]).allSatisfy { PortProbe.isFree(port, address: $0) }
    }

    /// A new installation's settings: names under localhost, served to this machine only.
    static func standard() throws -> Settings {
        try standard(domain: DomainName("workflow.localhost"))
    }

    /// A domain under localhost is served on the loopback addresses alone, any other to everybody.
    static func standard(domain: DomainName) -> Settings {
        let isLocal = domain.text == "localhost" || domain.text.hasSuffix(".localhost")
        let hasSix = PortProbe.isFree(0, address: "::1")
        let addresses = isLocal ? ["127.0.0.1"] + (hasSix ? ["::1"] : []) : ["0.0.0.0"] + (hasSix ? ["::"] : [])
        return Settings(
            domain: domain, bind: addresses, hostsFile: isLocal && geteuid() == 0 ? "/etc/hosts" : nil,
            ports: PortPlan())
    }
}
