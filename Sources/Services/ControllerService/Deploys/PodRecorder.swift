import FoundationEssentials
import PlatformModel
import Postgres

/// Writes what the engine shows of an app's instances where the API reads it.
struct PodRecorder: Sendable {
    let pool: PostgresPool
    let engine: any WorkloadEngine
    let scope: Scope

    /// Which instances are written down. Each is the affair of whoever holds its turn, so that an older look of one does
    /// not undo what the other wrote.
    enum Scope {
        case processes, oneOff

        func contains(_ ptype: String) -> Bool { (ptype == ProcessType.run.text) == (self == .oneOff) }
    }

    func record(_ app: App) async throws {
        let pods = try await engine.pods(of: app.id).filter { scope.contains($0.processType.text) }
        let store = ObservedPodStore()
        let endpoints = Set(try await EndpointStore().all(of: app.uuid, in: pool).filter { $0.state == .ready }.map(\.pod))
        try await pool.withTransaction { transaction in
            let known = try await store.all(of: app.uuid, in: transaction).filter { scope.contains($0.ptype) }
                .map(\.name)
            try await store.remove(known.filter { name in !pods.contains { $0.name.text == name } }, in: transaction)
            for pod in pods {
                try await store.put(Self.observed(pod, isReady: endpoints.contains(pod.name.text)), in: transaction)
            }
        }
    }

    /// The words of controller-api 5.11 for an instance's state.
    private static func observed(_ pod: PodStatus, isReady: Bool) -> ObservedPod {
        var observed = ObservedPod(
            name: pod.name.text, app: pod.appID, ptype: pod.processType.text, release: pod.release.value,
            state: word(pod, isReady: isReady), container: "\(pod.app)-\(pod.processType)", image: pod.image)
        observed.isReady = isReady || pod.endpoint == nil && pod.isRunning
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
            observed.lastState = ["terminated": .object(terminated)]
        }
        return observed
    }

    private static func word(_ pod: PodStatus, isReady: Bool) -> String {
        switch pod.phase {
        case .created: "creating"
        case .running: pod.endpoint == nil || isReady ? "up" : "starting"
        case .stopping: "terminating"
        case .exited(let code, _): code == 0 ? "down" : "crashed"
        case .backingOff: "error"
        }
    }
}
