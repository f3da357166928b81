import FoundationEssentials
import PlatformModel

/// Runs workloads: what the deploy worker asks of podman or of a cluster.
///
/// Every method is idempotent: asked again after a crash in between, it brings about the same and doubles nothing. What
/// runs is found from the engine's own labels, so that no state of ours is needed to converge again.
protocol WorkloadEngine: Sendable {
    /// Makes the image present, so that a later start does not wait for it.
    ///
    /// - Throws: ``EngineError`` with `.imageUnavailable` when it cannot be had.
    func prepare(_ image: String, credentials: RegistryCredentials?) async throws

    /// Makes and starts one instance; returns once its process runs, healthy or not.
    ///
    /// - Parameter fence: the caller's fencing number. A lower one than the app's pods carry is refused with `.fenced`.
    func start(_ workload: Workload, as pod: PodName, fence: Int) async throws -> PodStatus

    /// Returns when the instance passes its readiness probe, with the words for the push output (`GET / 200 in 12 ms`).
    ///
    /// - Throws: ``EngineError`` with `.unhealthy` once it has exited, or has failed the probe until `deadline` passed;
    ///   the error carries the cause and its last lines.
    func awaitReady(_ pod: PodName, of workload: Workload, deadline: Duration) async throws -> String

    /// All instances of an app, or of every app, oldest first.
    func pods(of app: AppName?) async throws -> [PodStatus]

    /// Asks the instance to stop, kills it after `grace`, and removes it. An unknown name is not an error.
    func remove(_ pod: PodName, grace: Duration) async throws

    /// Removes what the app has besides instances: its network and secrets. Instances must be gone.
    func removeApp(_ app: AppName) async throws

    /// A signal whenever some instance has changed; the reader then asks for ``pods(of:)``. Bounded and lossy.
    func changes() -> AsyncStream<Void>
}

/// Reads what instances wrote.
protocol PodLogSource: Sendable {
    /// Lines of an instance: the last `lines` (all when nil), then new ones while `follow`.
    ///
    /// - Throws: ``EngineError`` with `.podNotFound`.
    func lines(
        of pod: PodName, lines: Int?, follow: Bool
    ) async throws -> AsyncThrowingStream<String, any Error>
}

/// Who may pull an image.
struct RegistryCredentials: Sendable {
    /// The registry they are for, as `host:port`; images of others are pulled without.
    let registry: String
    let user: String
    let password: Secret
}

/// The engine could not do what was asked.
struct EngineError: Error, Sendable, CustomStringConvertible {
    enum Code: Sendable, Equatable {
        /// The engine does not answer; worth another try.
        case unavailable
        case imageUnavailable
        case unhealthy
        case podNotFound
        /// A newer worker has taken over this app.
        case fenced
        case refused
    }

    let code: Code
    /// One sentence for the person who deployed.
    let message: String
    /// The instance's last lines, oldest first.
    let lines: [String]

    init(_ code: Code, _ message: String, lines: [String] = []) {
        self.code = code
        self.message = message
        self.lines = lines
    }

    var description: String { message }
}
