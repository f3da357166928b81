import CurlTransfer
import Logging
import PlatformModel
import Synchronization

/// Takes what git's hook reports: decides about the refs, records the push, and tells the pusher how it ends.
///
/// Everything after the record has been opened belongs to the record: a pusher that goes away changes nothing, and
/// ``RunFollowUp`` finishes what is left to do in the repository.
struct PushDesk: Sendable {
    typealias Tell = @Sendable (String) async throws -> Void

    let controller: ControllerClient
    let bundler: SourceBundler
    let repositories: RepositoryStore
    let tickets: PushTickets
    let followUp: RunFollowUp
    let metrics: PushMetrics
    let logger: Logger

    /// Serves one push to its end and answers what becomes of each ref.
    func receive(_ request: HookRequest, tell: @escaping Tell) async -> [HookReply.Verdict] {
        guard let ticket = tickets[request.ticket], let repository = repositories.existing(ticket.app) else {
            return Self.refuse(request, "the push is over")
        }
        do {
            let change = try PushDecision.only(of: request.changes)
            let push = try await accept(change, request, ticket, repository, tell)
            let outcome = try await follow(push, ticket, tell)
            metrics.count(outcome)
            return [verdict(outcome, push)]
        } catch let refusal as PushDecision.Refused {
            metrics.countRefusal()
            return Self.refuse(request, refusal.reason)
        } catch is CancellationError {
            return Self.refuse(request, "interrupted")
        } catch {
            logger.error("Push failed", metadata: ["app": "\(ticket.app)", "error": "\(String(reflecting: error))"])
            metrics.countFailure()
            return Self.refuse(request, await explain(error, tell))
        }
    }

    private static func refuse(_ request: HookRequest, _ reason: String) -> [HookReply.Verdict] {
        request.changes.map { .init(ref: $0.ref, refusal: reason, fallsThrough: false) }
    }

    private func explain(_ error: any Error, _ tell: Tell) async -> String {
        let (text, reason): (String, String) =
            switch error {
            case let error as SourceRefused: (error.reason, "source refused")
            case let error as PushRefused: (error.reason, "refused by the controller")
            case is TransferError, is RunGone:
                (
                    "the controller does not answer; the push can be repeated with the same commit",
                    "controller unreachable"
                )
            default: ("the push could not be taken; it can be repeated with the same commit", "internal error")
            }
        do {
            for line in PushOutput.row(mark: "=====>", phase: "failed", text: text, seconds: nil) {
                try await tell(line)
            }
        } catch {
            // The pusher is gone; the verdict has no reader either.
        }
        return reason
    }

    // MARK: Taking the push

    private func accept(
        _ change: HookRequest.RefChange, _ request: HookRequest, _ ticket: PushTicket, _ repository: GitRepository,
        _ tell: @escaping Tell
    ) async throws -> RecordedPush {
        guard let commit = try await repository.commit(of: change.new) else {
            throw PushDecision.Refused(reason: "\(change.ref) is no commit")
        }
        let isVerbose = request.options.contains("verbose")
        if let running = followUp.running(ticket.app, commit: commit, ref: change.ref) {
            try await tell("       this commit is being built already; following that build")
            return RecordedPush(running, isVerbose: isVerbose, isShallow: request.isShallow)
        }
        for warning in try await bundler.inspect(commit, in: repository) {
            for line in PushOutput.wrapped(warning, first: "       ", rest: "       ") { try await tell(line) }
        }
        let bundle = try await bundler.bundle(commit, in: repository)
        let record = PushRecord(
            user: ticket.user, app: ticket.app.text, sha: commit, ref: change.ref,
            message: try await repository.subject(of: commit), sourceKey: bundle.key, sourceDigest: bundle.digest,
            sourceSize: bundle.size)
        let run = try await controller.open(record)
        logger.info("Push recorded", metadata: ["app": "\(ticket.app)", "run": "\(run.id)", "sha": "\(commit)"])
        let pending = PendingRun(
            run: run.id, number: run.number, app: ticket.app, commit: commit, object: change.new, ref: change.ref)
        await followUp.began(pending, isKept: !request.isShallow)
        return RecordedPush(pending, isVerbose: isVerbose, isShallow: request.isShallow)
    }

    // MARK: Following it

    private func follow(
        _ push: RecordedPush, _ ticket: PushTicket, _ tell: @escaping Tell
    ) async throws -> RunEvent.State {
        let output = Mutex(PushOutput(isVerbose: push.isVerbose))
        do {
            let record = RunRecord(controller: controller, run: push.pending.run, logger: logger)
            let end = try await followUp.whileOpen(ticket) {
                try await record.follow { event in
                    for line in output.withLock({ $0.lines(for: event) }) { try await tell(line) }
                }
            }
            let state = end.state ?? .failed
            await followUp.ended(push.pending, state: state, movesBranch: !push.isShallow)
            return state
        } catch is RunFollowUp.Closing {
            followUp.adopt(push.pending)
            try await tell("       the builder restarts; the build goes on without this connection.")
            try await tell(
                "       push the same commit again to follow it, or see: drycc releases -a \(push.pending.app)")
            throw PushDecision.Refused(reason: "the builder restarts, the build goes on")
        } catch {
            followUp.adopt(push.pending)
            throw error
        }
    }

    private func verdict(_ state: RunEvent.State, _ push: RecordedPush) -> HookReply.Verdict {
        let refusal: String? =
            switch state {
            case .live: nil
            case .failed: "deploy failed"
            case .cancelled: "deploy cancelled"
            case .superseded: "superseded by a newer push"
            }
        return .init(ref: push.pending.ref, refusal: refusal, fallsThrough: refusal == nil && push.isShallow)
    }
}

/// A push whose record is open.
struct RecordedPush: Sendable {
    let pending: PendingRun
    let isVerbose: Bool
    let isShallow: Bool

    init(_ pending: PendingRun, isVerbose: Bool, isShallow: Bool) {
        self.pending = pending
        self.isVerbose = isVerbose
        self.isShallow = isShallow
    }
}
