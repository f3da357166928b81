import ConcurrencyPrimitives
import FoundationEssentials
import Logging
import PlatformModel
import PodmanClient

extension PodmanEngine {
    func pods(of app: AppName?) async throws -> [PodStatus] {
        try await translatingErrors {
            try await inTurn(app) {
                let labels = [PodLabels.heritage] + (app.map { [PodLabels.selector(app: $0)] } ?? [])
                let containers = try await podman.listContainers(labels: labels)
                let statuses = try await withThrowingTaskGroup(of: PodStatus?.self) { group in
                    for container in containers {
                        group.addTask { try await self.status(of: PodName(container.name)) }
                    }
                    return try await group.reduce(into: [PodStatus]()) { list, status in
                        if let status { list.append(status) }
                    }
                }
                return statuses.sorted { ($0.created, $0.name) < ($1.created, $1.name) }
            }
        }
    }

    /// The pod's state now; nil when there is none, or its container is not ours.
    func status(of pod: PodName) async throws -> PodStatus? {
        let details: ContainerDetails
        do {
            details = try await podman.inspectContainer(pod.text)
        } catch let error as PodmanError where error.code == .notFound {
            return nil
        }
        guard let labels = PodLabels(details.labels) else { return nil }
        let memory = PodFolder(logDirectory: configuration.logDirectory, labels: labels).memory()
        return PodStatus(details, labels, memory, network: networkName(of: labels.app), isLeaving: isLeaving(pod))
    }

    func changes() -> AsyncStream<Void> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let id = addListener { continuation.yield() }
            // Ends with the stream: its termination cancels the task.
            let task = Task {
                await self.watch { continuation.yield() }
                continuation.finish()
            }
            continuation.onTermination = { _ in
                task.cancel()
                self.removeListener(id)
            }
        }
    }

    /// Calls `onChange` for each event of a pod, and after each gap in the subscription, until cancelled.
    private func watch(_ onChange: () -> Void) async {
        let backoff = Backoff(initial: .milliseconds(100), limit: .seconds(5))
        var waits = backoff.makeIterator()
        while !Task.isCancelled {
            do {
                let events = try await podman.events(labels: [PodLabels.heritage])
                waits = backoff.makeIterator()
                onChange()
                for try await _ in events { onChange() }
            } catch is CancellationError {
                return
            } catch {
                logger.debug("Container events are interrupted", metadata: ["error": "\(error)"])
            }
            do {
                try await Task.sleep(for: waits.next() ?? .seconds(5))
            } catch {
                // Cancelled while waiting.
                return
            }
        }
    }

    /// Runs `body` and says what podman's failures mean to a deploy.
    func translatingErrors<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            return try await body()
        } catch let error as PodmanError {
            logger.debug("Podman refused", metadata: ["error": "\(error)", "cause": "\(error.cause)"])
            throw EngineError(error)
        }
    }
}

extension EngineError {
    init(_ error: PodmanError) {
        switch error.code {
        case .unreachable, .timeout:
            self.init(.unavailable, "The container engine does not answer.")
        case .pullFailed:
            self.init(.imageUnavailable, "The image cannot be pulled: \(error.message)")
        case .imageUnknown:
            self.init(.imageUnavailable, "The image is not on this machine.")
        case .notFound:
            self.init(.podNotFound, "There is no such pod.")
        default:
            self.init(.refused, "The container engine refused: \(error.message)")
        }
    }
}

extension PodStatus {
    init(
        _ details: ContainerDetails, _ labels: PodLabels, _ memory: PodFolder.Memory, network: String, isLeaving: Bool
    ) {
        // Before a pod was ready for the first time its address is the deploy's to use.
        let address = memory.isReady || !memory.wasReady ? details.address(in: network) : nil
        self.init(
            name: labels.pod, app: labels.app, appID: labels.appID, processType: labels.processType,
            release: labels.release, image: labels.image, command: labels.command, arguments: labels.arguments,
            phase: Phase(details.state, memory, isLeaving: isLeaving), wasReady: memory.wasReady,
            isReady: memory.isReady || labels.processType == .run, restarts: memory.restarts,
            lastExit: memory.lastExit.map {
                LastExit(code: $0.code, started: $0.started, finished: $0.finished, reason: $0.reason)
            },
            endpoint: address.flatMap { address in labels.port.map { PodEndpoint(address: address, port: $0) } },
            fence: labels.fence, created: Date(wire: details.created.prefix(19) + "Z") ?? .distantPast)
    }

    var hasEnded: Bool {
        if case .exited = phase { return true }
        return false
    }
}

extension PodStatus.Phase {
    init(_ state: ContainerDetails.State, _ memory: PodFolder.Memory, isLeaving: Bool) {
        switch state.status {
        case .running, .paused, .restarting:
            self = isLeaving ? .stopping : .running(since: state.startedAt ?? .now)
        case .stopping where memory.restartReason != nil && !isLeaving:
            self = .backingOff(code: memory.lastExit?.code ?? 0, at: .now)
        case .stopping, .removing: self = .stopping
        case .stopped, .exited:
            let end = state.finishedAt ?? .now
            let isRestarted = memory.wasReady && !isLeaving
            self = isRestarted ? .backingOff(code: state.exitCode, at: end) : .exited(code: state.exitCode, at: end)
        case .created, .initialized, .other:
            // A restart of the machine makes podman forget that the container ran.
            let wasRunning = memory.wasReady && !isLeaving
            self = wasRunning ? .backingOff(code: memory.lastExit?.code ?? 0, at: .now) : .created
        }
    }
}
