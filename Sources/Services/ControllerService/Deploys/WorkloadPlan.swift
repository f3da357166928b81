import FoundationEssentials
import OpenSSLCrypto
import PlatformModel

/// The workloads of one release: what its build, its config and the platform's rules say about each process type.
///
/// A pure function of the rows; running it twice gives the same workloads.
struct WorkloadPlan: Sendable {
    let app: App
    let release: Release
    let build: Build
    let config: ConfigDocument
    let limits: LimitCatalogue

    /// Ten hexadecimal digits that stand for this release in pod names.
    var releaseTag: String {
        String(SHA256Digest.hex(release.uuid.uuidString.lowercased()).prefix(10))
    }

    /// - Throws: ``InvalidValue`` when the row holds a name that breaks the rules.
    func workload(of ptype: String) throws -> Workload {
        let type = try ProcessType(ptype)
        let launch = BuildOffer(build.content).launch(of: ptype)
        let environment = environment(of: ptype)
        let port = type == .web ? Int(environment["PORT"] ?? "") : nil
        return Workload(
            app: app.id, appID: app.uuid, processType: type, release: release.version, releaseTag: releaseTag,
            image: launch.image, command: launch.command, arguments: launch.arguments.map { expand($0, environment) },
            environment: SecretEnvironment(environment), port: port, limits: limit(of: ptype),
            probes: ProbeRule.probes(config.healthcheck[ptype], port: port), gracePeriod: grace(of: ptype),
            startLimit: environment["DRYCC_DEPLOY_TIMEOUT"].flatMap { Int($0) }.map { .seconds(max(1, $0)) })
    }

    /// A one-off command: image and entry point of the type it names, everything else of the type `run`.
    ///
    /// - Throws: ``InvalidValue`` when the row holds a name that breaks the rules.
    func oneOff(_ job: RunJob) throws -> Workload {
        let launch = BuildOffer(build.content).launch(of: job.ptype)
        let run = ProcessType.run
        return Workload(
            app: app.id, appID: app.uuid, processType: run, release: release.version, releaseTag: releaseTag,
            image: launch.image, command: launch.command, arguments: job.arguments,
            environment: SecretEnvironment(environment(of: run.text)), port: nil, limits: limit(of: run.text),
            probes: Probes(), gracePeriod: grace(of: run.text), lifetime: .seconds(job.timeout))
    }

    /// The app's own settings over the platform's (controller-api 5.3).
    private func environment(of ptype: String) -> [String: String] {
        var environment = config.environment(of: ptype)
        environment["DRYCC_APP"] = app.id.text
        environment["DRYCC_WORKSPACE"] = app.workspace.text
        environment["WORKFLOW_RELEASE"] = release.version.description
        environment["WORKFLOW_RELEASE_SUMMARY"] = release.summary
        environment["WORKFLOW_RELEASE_CREATED_AT"] = release.created.wire
        if !build.sha.isEmpty { environment["SOURCE_VERSION"] = build.sha }
        // A set port wins over the image's, which wins over the platform's.
        if environment["PORT"].flatMap({ Int($0) }) == nil { environment["PORT"] = "\(build.port ?? 5000)" }
        return environment
    }

    /// A Procfile's `$PORT` means the variable although no shell reads the line.
    private func expand(_ argument: String, _ environment: [String: String]) -> String {
        guard let port = environment["PORT"] else { return argument }
        return argument.replacing("${PORT}", with: port).replacing("$PORT", with: port)
    }

    private func limit(of ptype: String) -> Workload.Limits {
        let plan = config.limits[ptype].flatMap { limits.plan($0) } ?? limits.plan(limits.defaultPlan)
        return Workload.Limits(
            milliCPU: (plan?.cpu ?? 1) * 1000, memoryBytes: plan?.memoryBytes ?? 1 << 30, processes: 1024)
    }

    private func grace(of ptype: String) -> Duration {
        .seconds(config.terminationGracePeriod[ptype].flatMap { Int($0) } ?? 30)
    }
}
