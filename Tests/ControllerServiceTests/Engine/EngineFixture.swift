import FoundationEssentials
import Logging
import PlatformModel
import PodmanClient
import PodmanTestSupport

@testable import ControllerService

/// Workloads for the engine suites; app names are random because networks share the machine's name space.
struct EngineFixture: Sendable {
    let app: AppName
    let appID = UUID()

    init() throws {
        let random = String(UInt32.random(in: .min ... .max), radix: 36)
        app = try AppName("app\(random)-x")
    }

    func workload(
        _ arguments: [String], type: String = "web", release: Int = 1, environment: [String: String] = [:],
        port: Int? = 8080, readiness: Probe? = nil, probes: Probes? = nil, image: String = PodmanService.image
    ) throws -> Workload {
        Workload(
            app: app, appID: appID, processType: try ProcessType(type), release: try ReleaseNumber(release),
            releaseTag: "00000000\(release < 10 ? "0" : "")\(release)", image: image, command: [],
            arguments: arguments, environment: SecretEnvironment(environment), port: port,
            limits: .init(milliCPU: 500, memoryBytes: 64 << 20, processes: 64),
            probes: probes ?? Probes(readiness: readiness),
            gracePeriod: .seconds(5))
    }

    /// Serves the folder of programs on port 8080.
    static let server = ["httpd", "-f", "-p", "8080", "-h", "/bin"]

    static func probe(
        _ action: Probe.Action, period: Duration = .milliseconds(100), successes: Int = 1
    ) -> Probe {
        Probe(
            action: action, initialDelay: .zero, period: period, timeout: .seconds(1), successThreshold: successes,
            failureThreshold: 3)
    }
}

/// Runs `body` with an engine over a private podman.
func withPodmanEngine(
    _ body: @escaping @Sendable (PodmanEngine, PodmanService) async throws -> Void
) async throws {
    try await withPodman { service in
        var logger = Logger(label: "engine")
        logger.logLevel = .critical
        let prefix = "wft" + String(UInt32.random(in: .min ... .max), radix: 36)
        let engine = PodmanEngine(
            podman: service.podman, http: service.http,
            configuration: .init(networkPrefix: prefix, logDirectory: service.directory + "/logs"), logger: logger)
        try await body(engine, service)
    }
}
