import ConcurrencyPrimitives
import CurlTransfer
import FoundationEssentials
import Logging
import PlatformModel
import PodmanClient
import Synchronization

/// Runs workloads in podman's containers, one container a pod, one bridge network an app.
///
/// Environment values are podman secrets: they stay out of command lines, labels and podman's database, and go with
/// their pod. Output goes to files below `logDirectory` for the log shipper. Pods that were ready once are kept running
/// by ``PodSupervisor``.
final class PodmanEngine: WorkloadEngine {
    /// Where the engine works.
    struct Configuration: Sendable {
        /// Begins the names of networks, so that engines on one machine do not share any.
        let networkPrefix: String
        let logDirectory: String
        /// A pod's log starts anew when it has reached this many bytes.
        let logLimit: Int

        init(networkPrefix: String = "workflow", logDirectory: String, logLimit: Int = 64 * 1024 * 1024) {
            self.networkPrefix = networkPrefix
            self.logDirectory = logDirectory
            self.logLimit = logLimit
        }
    }

    let podman: PodmanClient
    let http: HTTPClient
    let configuration: Configuration
    let logger: Logger
    /// Pods that are being stopped on purpose; nobody may start them again meanwhile.
    private let leaving = Mutex<Set<PodName>>([])
    private let remembering = Mutex(())
    /// Lets a few calls that are work for podman through at a time; none of them waits for a process of an app.
    private let calls = KeyedQueue<Int>()
    private static let callsAtOnce = 8
    /// Who wants to know of changes that podman tells no event for.
    private let listeners = Mutex<[UUID: @Sendable () -> Void]>([:])

    init(podman: PodmanClient, http: HTTPClient, configuration: Configuration, logger: Logger) {
        self.podman = podman
        self.http = http
        self.configuration = configuration
        self.logger = logger
    }

    /// Changes what is remembered of a pod; its watchers and the deploy may do so at the same time.
    @discardableResult
    func remember(_ labels: PodLabels, _ change: (inout PodFolder.Memory) -> Void) throws -> PodFolder.Memory {
        try remembering.withLock { _ in
            let folder = PodFolder(logDirectory: configuration.logDirectory, labels: labels)
            var memory = folder.memory()
            change(&memory)
            try folder.remember(memory)
            return memory
        }
    }

    /// Carries out work of podman for an app when it is its turn.
    func inTurn<Value: Sendable>(
        _ app: AppName?, _ work: @Sendable () async throws -> Value
    ) async throws -> Value {
        try await calls.withKey(abs((app?.text ?? "").hashValue % Self.callsAtOnce), work)
    }

    // MARK: - Images

    func prepare(_ image: String, credentials: RegistryCredentials?) async throws {
        try await translatingErrors {
            guard try await !podman.imageExists(image) else { return }
            let own = credentials.flatMap { image.hasPrefix($0.registry + "/") ? $0 : nil }
            let credential = own.map { RegistryCredential(userName: $0.user, password: $0.password) }
            _ = try await podman.pullImage(
                image, credential: credential, usesPlainHTTP: Self.isOnLoopback(image))
        }
    }

    /// Whether the image's registry is on this machine, where it speaks HTTP without TLS.
    static func isOnLoopback(_ image: String) -> Bool {
        let registry = image.prefix { $0 != "/" }
        let host = registry.prefix { $0 != ":" }
        return host == "127.0.0.1" || host == "localhost"
    }

    // MARK: - Instances

    func start(_ workload: Workload, as pod: PodName, fence: Int) async throws -> PodStatus {
        try await translatingErrors {
            try await refuseOlderFence(fence, of: workload)
            if let status = try await adopt(pod, of: workload) { return status }
            let labels = PodLabels(
                workload, pod: pod, fence: fence, uid: UUID().uuidString.lowercased())
            try await makeNetwork(of: workload.app)
            let folder = PodFolder(logDirectory: configuration.logDirectory, labels: labels)
            try folder.prepare(labels)
            let specification = try await specification(workload, labels, logFile: folder.logFile(labels))
            return try await inTurn(workload.app) {
                _ = try await podman.createContainer(specification)
                return try await run(pod)
            }
        }
    }

    /// Starts the pod's container and reads its state.
    private func run(_ pod: PodName) async throws -> PodStatus {
        do {
            try await podman.startContainer(pod.text)
        } catch let error as PodmanError where error.code == .failed {
            throw EngineError(.unhealthy, "The process could not be started: \(Self.startFailure(error)).")
        }
        guard let status = try await status(of: pod) else {
            throw EngineError(.podNotFound, "The pod \(pod) was removed while it started.")
        }
        return status
    }

    /// The runtime's own words behind podman's chain of colons.
    private static func startFailure(_ error: PodmanError) -> String {
        guard let range = error.message.firstRange(of: "exec: ") else { return error.message }
        return String(error.message[range.upperBound...])
    }

    /// One-off commands are started under a lease of their own, whose fences say nothing about the app's.
    private func refuseOlderFence(_ fence: Int, of workload: Workload) async throws {
        let app = workload.app
        let containers = try await podman.listContainers(labels: [PodLabels.heritage, PodLabels.selector(app: app)])
        let known = containers.compactMap { PodLabels($0.allLabels) }
            .filter { ($0.processType == .run) == (workload.processType == .run) }
        guard fence >= known.map(\.fence).max() ?? 0 else {
            throw EngineError(.fenced, "Another worker has taken over \(app).")
        }
    }

    /// A pod of that name may be left from an attempt that was cut off: it is used if it is the same, else removed.
    private func adopt(_ pod: PodName, of workload: Workload) async throws -> PodStatus? {
        guard let status = try await status(of: pod) else { return nil }
        let isSame =
            status.appID == workload.appID && status.processType == workload.processType
            && status.release == workload.release && status.image == workload.image
        guard isSame, !status.hasEnded else {
            try await remove(pod, grace: .zero)
            return nil
        }
        return status.isRunning ? status : try await run(pod)
    }

    func remove(_ pod: PodName, grace: Duration) async throws {
        leaving.withLock { _ = $0.insert(pod) }
        defer { leaving.withLock { _ = $0.remove(pod) } }
        try await translatingErrors {
            do {
                try await podman.stopContainer(pod.text, grace: grace)
            } catch let error as PodmanError where error.code == .notFound || error.code == .wrongState {
                // It never ran, or is gone already.
            }
            try await podman.removeContainer(pod.text, force: true)
            let owner = SecretName.Owner(pod)
            try await removeSecrets { SecretName.owner(of: $0) == owner }
        }
    }

    func removeApp(_ app: AppName) async throws {
        try await translatingErrors {
            try await podman.removeNetwork(networkName(of: app))
            try await removeSecrets { SecretName.belongs($0, to: app) }
        }
    }

    func removeSecrets(where isWanted: (String) -> Bool) async throws {
        for secret in try await podman.listSecrets() where isWanted(secret.name) {
            try await podman.removeSecret(secret.name)
        }
    }

    /// Whether the pod is being stopped on purpose.
    func isLeaving(_ pod: PodName) -> Bool { leaving.withLock { $0.contains(pod) } }

    // MARK: - Changes of our own

    func addListener(_ listener: @escaping @Sendable () -> Void) -> UUID {
        let id = UUID()
        listeners.withLock { $0[id] = listener }
        return id
    }

    func removeListener(_ id: UUID) { listeners.withLock { _ = $0.removeValue(forKey: id) } }

    func announceChange() {
        for listener in listeners.withLock({ Array($0.values) }) { listener() }
    }

    // MARK: - Networks

    func networkName(of app: AppName) -> String { "\(configuration.networkPrefix)-\(app)" }

    private func makeNetwork(of app: AppName) async throws {
        let name = networkName(of: app)
        let hash = name.utf8.reduce(UInt64(14_695_981_039_346_656_037)) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
        let digits = String(hash, radix: 16)
        do {
            try await podman.createNetwork(
                name, interface: "wf" + String(digits.suffix(12)),
                labels: ["workflow.heritage": "drycc", "workflow.app": app.text])
        } catch let error as PodmanError where error.code == .nameInUse {
            // Made for an earlier pod of the app.
        }
    }
}
