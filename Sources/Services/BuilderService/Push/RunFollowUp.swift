import ConcurrencyPrimitives
import Logging
import PlatformModel
import ServiceLifecycle
import Synchronization

/// A build run whose outcome still has to be written into the app's repository.
struct PendingRun: Sendable, Equatable {
    let run: String
    /// Orders the runs of an app; 0 when it is not known any more.
    let number: Int
    let app: AppName
    let commit: String
    /// What the ref will hold: the commit, or the tag that names it.
    let object: String
    let ref: String

    /// Keeps the run, its ref and its object over a restart of the builder.
    var marker: String { "refs/workflow/runs/\(run)/\(ref.dropFirst(5))" }
    /// Keeps what was pushed last, so that the next push sends only the difference, whatever became of the run.
    var kept: String { "refs/workflow/pushed/\(ref.dropFirst(5))" }

    init(run: String, number: Int, app: AppName, commit: String, object: String, ref: String) {
        self.run = run
        self.number = number
        self.app = app
        self.commit = commit
        self.object = object
        self.ref = ref
    }

    /// Reads a marker that an earlier process left.
    init?(marker: String, object: String, app: AppName) {
        let parts = marker.split(separator: "/", maxSplits: 4).map(String.init)
        guard parts.count == 5, marker.hasPrefix("refs/workflow/runs/") else { return nil }
        self.init(run: parts[3], number: 0, app: app, commit: object, object: object, ref: "refs/" + parts[4])
    }
}

/// Finishes in the repository what a push has begun, with or without its pusher.
///
/// A branch moves when its run is live and stays otherwise. Runs whose pusher is lost are followed here to their end;
/// those
/// of an earlier process are found by their markers at the start.
final class RunFollowUp: Service {
    /// The process stops; followers let go.
    struct Closing: Error {}

    private enum Job: Sendable {
        case follow(PendingRun)
        case clean(PushTicket)
    }

    private struct State {
        var running: [String: PendingRun] = [:]
        var newest: [String: Int] = [:]
        var isClosing = false
        var followers: [UInt64: (ticket: String, task: Task<RunEvent, any Error>)] = [:]
        var lost: Set<String> = []
        var nextFollower: UInt64 = 0
    }

    private let controller: ControllerClient
    private let repositories: RepositoryStore
    private let logger: Logger
    private let jobs = BoundedChannel<Job>(limit: 10_000)
    private let state = Mutex(State())

    init(controller: ControllerClient, repositories: RepositoryStore, logger: Logger) {
        self.controller = controller
        self.repositories = repositories
        self.logger = logger
    }

    // MARK: What pushes tell

    /// The run that builds this very commit for this ref now.
    func running(_ app: AppName, commit: String, ref: String) -> PendingRun? {
        state.withLock { $0.running[app.text] }.flatMap { $0.commit == commit && $0.ref == ref ? $0 : nil }
    }

    /// A run is open. A kept one survives a restart of this process.
    func began(_ pending: PendingRun, isKept: Bool) async {
        state.withLock { $0.running[pending.app.text] = pending }
        guard isKept, let repository = repositories.existing(pending.app) else { return }
        do {
            try await repositories.changing(pending.app) {
                try await repository.update([
                    "update \(pending.marker) \(pending.object)", "update \(pending.kept) \(pending.object)",
                ])
            }
        } catch {
            // The record is open and will be carried out; only the next push may have to send more.
            logger.warning(
                "Push not marked in its repository", metadata: ["app": "\(pending.app)", "error": "\(error)"])
        }
    }

    /// A run is over: moves the branch if it is live, and forgets the marker.
    func ended(_ pending: PendingRun, state outcome: RunEvent.State, movesBranch: Bool) async {
        state.withLock { state in
            if state.running[pending.app.text]?.run == pending.run { state.running[pending.app.text] = nil }
        }
        guard let repository = repositories.existing(pending.app) else { return }
        do {
            try await repositories.changing(pending.app) {
                let moves = movesBranch && outcome == .live && isNewest(pending)
                let branch = moves ? ["update \(pending.ref) \(pending.object)"] : []
                try await repository.update(branch + ["delete \(pending.marker)"])
                if moves, pending.ref.hasPrefix("refs/heads/") { try await repository.pointHead(to: pending.ref) }
            }
        } catch {
            logger.warning("Branch not moved", metadata: ["app": "\(pending.app)", "error": "\(error)"])
        }
    }

    /// Whether no later run of the same ref has moved it already.
    private func isNewest(_ pending: PendingRun) -> Bool {
        state.withLock { state in
            let key = "\(pending.app) \(pending.ref)"
            guard pending.number >= state.newest[key, default: 0] else { return false }
            state.newest[key] = pending.number
            return true
        }
    }

    /// The pusher of a run is gone.
    func adopt(_ pending: PendingRun) {
        if !jobs.trySend(.follow(pending)) {
            logger.warning("Too many runs to follow", metadata: ["app": "\(pending.app)"])
        }
    }

    /// The client of a push is gone: nobody is told any more, and git need not be kept waiting.
    func clientLost(_ ticket: PushTicket) {
        let followers = state.withLock { state in
            state.lost.insert(ticket.id)
            return state.followers.values.filter { $0.ticket == ticket.id }
        }
        for follower in followers { follower.task.cancel() }
    }

    /// git has ended a push: a branch it updated itself is moved out of the push's own namespace.
    func pushEnded(_ ticket: PushTicket) {
        state.withLock { _ = $0.lost.remove(ticket.id) }
        if !jobs.trySend(.clean(ticket)) {
            logger.warning("Too many pushes to clean up", metadata: ["app": "\(ticket.app)"])
        }
    }

    // MARK: Closing

    /// Runs `body` until it ends, its pusher is lost or the process stops.
    /// - Throws: ``Closing`` in the last case.
    func whileOpen(
        _ ticket: PushTicket, _ body: @escaping @Sendable () async throws -> RunEvent
    ) async throws -> RunEvent {
        // Awaited below; cancelled with the caller or by ``close()``.
        let task = Task { try await body() }
        let id = state.withLock { state -> UInt64? in
            guard !state.isClosing, !state.lost.contains(ticket.id) else { return nil }
            state.nextFollower += 1
            state.followers[state.nextFollower] = (ticket.id, task)
            return state.nextFollower
        }
        if id == nil { task.cancel() }
        defer { if let id { state.withLock { _ = $0.followers.removeValue(forKey: id) } } }
        do {
            return try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                task.cancel()
            }
        } catch is CancellationError where state.withLock({ $0.isClosing }) && !Task.isCancelled {
            throw Closing()
        }
    }

    /// Lets every follower go, with a word to its pusher.
    func close() {
        let followers = state.withLock { state in
            state.isClosing = true
            return Array(state.followers.values)
        }
        for follower in followers { follower.task.cancel() }
    }

    // MARK: The service

    func run() async throws {
        try await adoptLeftovers()
        try await withGracefulShutdownHandler {
            try await withThrowingDiscardingTaskGroup { group in
                for try await job in jobs { group.addTask { await self.carryOut(job) } }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.jobs.finish()
        }
    }

    private func adoptLeftovers() async throws {
        for repository in try repositories.all() {
            for ref in try await repository.refs(below: "refs/workflow/runs/") {
                if let pending = PendingRun(marker: ref.name, object: ref.object, app: repository.app) {
                    adopt(pending)
                }
            }
        }
    }

    private func carryOut(_ job: Job) async {
        do {
            switch job {
            case .follow(let pending):
                let record = RunRecord(controller: controller, run: pending.run, logger: logger)
                let end = try await record.follow { _ in }
                await ended(pending, state: end.state ?? .failed, movesBranch: true)
            case .clean(let ticket):
                try await clean(ticket)
            }
        } catch is CancellationError {
            // The marker stays and is found at the next start.
        } catch is RunGone {
            if case .follow(let pending) = job { await ended(pending, state: .failed, movesBranch: false) }
        } catch {
            logger.warning("Push not finished in its repository", metadata: ["error": "\(error)"])
        }
    }

    private func clean(_ ticket: PushTicket) async throws {
        guard let repository = repositories.existing(ticket.app) else { return }
        try await repositories.changing(ticket.app) {
            let prefix = "refs/namespaces/\(ticket.namespace)/"
            for ref in try await repository.refs(below: prefix) {
                let branch = String(ref.name.dropFirst(prefix.count))
                try await repository.update(["update \(branch) \(ref.object)", "delete \(ref.name)"])
                if branch.hasPrefix("refs/heads/") { try await repository.pointHead(to: branch) }
            }
            try await repository.tidy()
        }
    }
}
