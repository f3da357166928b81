import FoundationEssentials
import PlatformModel
import Postgres

/// Writes what the engine shows of an app's instances where the API reads it.
struct PodRecorder: Sendable {
    let pool: PostgresPool
    let engine: any WorkloadEngine
    let scope: Scope

    /// Which instances are written down. Each is the affair of whoever holds its turn, so that an older look of one
    /// does not undo what the other wrote.
    enum Scope {
        case processes, oneOff

        func contains(_ ptype: String) -> Bool { (ptype == ProcessType.run.text) == (self == .oneOff) }
    }

    func record(_ app: App) async throws {
        let pods = try await engine.pods(of: app.id).filter { scope.contains($0.processType.text) }
        let store = ObservedPodStore()
        let endpoints = Dictionary(
            try await EndpointStore().all(of: app.uuid, in: pool).map { ($0.pod, $0.state) }
        ) { first, _ in first }
        try await pool.withTransaction { transaction in
            let known = try await store.all(of: app.uuid, in: transaction).filter { scope.contains($0.ptype) }
            let before = Dictionary(known.map { ($0.name, $0) }) { first, _ in first }
            let names = Set(pods.map(\.name.text))
            try await store.remove(known.map(\.name).filter { !names.contains($0) }, in: transaction)
            for pod in pods {
                let now = Self.observed(pod, endpoints[pod.name.text])
                try await store.put(now, in: transaction)
                if let old = before[now.name] { try await tell(pod, old, now, in: transaction) }
            }
        }
    }

    /// Writes what has happened to an instance where `ps describe` shows it.
    private func tell(
        _ pod: PodStatus, _ old: ObservedPod, _ now: ObservedPod, in transaction: Transaction
    ) async throws(PostgresError) {
        var event: (reason: String, message: String)?
        if now.restarts > old.restarts {
            let cause = pod.lastExit?.reason ?? "The process ended with status \(pod.lastExit?.code ?? 0)"
            event = (pod.lastExit?.reason == nil ? "BackOff" : "Unhealthy", "\(cause); it was started again.")
        } else if old.isReady, !now.isReady, pod.isRunning {
            event = ("Unhealthy", "The process is not ready and takes no requests for now.")
        }
        guard let event else { return }
        try await AppEventStore().add(
            app: now.app, ptype: now.ptype, pod: now.name, reason: event.reason, message: event.message,
            in: transaction)
    }

    /// The words of controller-api 5.11 for an instance's state.
    private static func observed(_ pod: PodStatus, _ endpoint: ProcessEndpoint.State?) -> ObservedPod {
        let isReady = pod.isRunning && pod.isReady && (pod.endpoint == nil || endpoint == .ready)
        var observed = ObservedPod(
            name: pod.name.text, app: pod.appID, ptype: pod.processType.text, release: pod.release.value,
            state: word(pod, endpoint, isReady: isReady), container: "\(pod.app)-\(pod.processType)", image: pod.image)
        observed.isReady = isReady
        observed.restarts = pod.restarts
        observed.command = pod.command
        observed.arguments = pod.arguments
        observed.started = pod.created
        switch pod.phase {
        case .created: observed.containerState = ["waiting": ["reason": "ContainerCreating"]]
        case .running(let since):
            observed.containerState = ["running": ["startedAt": .string(since.wire)]]
            observed.started = since
        case .stopping: observed.containerState = ["running": [:]]
        case .exited(let code, let date):
            observed.containerState = [
                "terminated": [
                    "exitCode": .integer(code), "reason": .string(code == 0 ? "Completed" : "Error"),
                    "finishedAt": .string(date.wire),
                ]
            ]
            observed.reason = code == 0 ? "Completed" : "Error"
        case .backingOff:
            observed.containerState = ["waiting": ["reason": "CrashLoopBackOff"]]
            observed.reason = "CrashLoopBackOff"
        }
        if let last = pod.lastExit {
            var terminated: [String: JSONValue] = [
                "exitCode": .integer(last.code), "reason": .string(last.code == 0 ? "Completed" : "Error"),
            ]
            if let started = last.started { terminated["startedAt"] = .string(started.wire) }
            if let finished = last.finished { terminated["finishedAt"] = .string(finished.wire) }
            if let reason = last.reason { terminated["message"] = .string(reason) }
            observed.lastState = ["terminated": .object(terminated)]
        }
        return observed
    }

    private static func word(_ pod: PodStatus, _ endpoint: ProcessEndpoint.State?, isReady: Bool) -> String {
        switch pod.phase {
        case .created: "creating"
        case .running where isReady: "up"
        // It works and gets no requests: replaced, and about to be stopped.
        case .running where pod.isReady && endpoint == .draining: "terminating"
        case .running: "starting"
        case .stopping: "terminating"
        case .exited(let code, _): code == 0 ? "down" : "crashed"
        case .backingOff: "error"
        }
    }
}
