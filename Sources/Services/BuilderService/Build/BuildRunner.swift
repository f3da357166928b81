import CommandRunner
import ConcurrencyPrimitives
import FoundationEssentials
import Glibc
import Logging
import Metrics
import PlatformModel

/// Carries out build tasks: claims the run, builds, reports.
///
/// Safe to repeat at any point: the controller hands a run to one holder at a time and refuses reports that carry an
/// old
/// fence, so a builder that was killed, or cut off for longer than its lease, changes nothing any more.
struct BuildRunner: Sendable {
    /// The run was cancelled before it began.
    private struct Cancelled: Error {}

    /// The task shall come again later.
    struct Retry: Error, Equatable {
        let reason: String
    }

    let controller: ControllerClient
    let process: ImageBuilderProcess
    let storage: StorageSettings
    let workDirectory: String
    let holder: String
    let logger: Logger
    private let apps = KeyedQueue<AppName>()
    private let pushes = PushBursts()
    private let duration = Timer(label: "builder.build.duration")
    private let built = Counter(label: "builder.builds", dimensions: [("outcome", "built")])
    private let failed = Counter(label: "builder.builds", dimensions: [("outcome", "failed")])
    private let dropped = Counter(label: "builder.builds", dimensions: [("outcome", "dropped")])

    init(
        controller: ControllerClient, process: ImageBuilderProcess, storage: StorageSettings, workDirectory: String,
        holder: String, logger: Logger
    ) {
        self.controller = controller
        self.process = process
        self.storage = storage
        self.workDirectory = workDirectory
        self.holder = holder
        self.logger = logger
    }

    /// Ends the builds an earlier process left behind when it was killed, and removes their work folders.
    func prepare() async throws {
        let work = workDirectory + "/work"
        if FileManager.default.fileExists(atPath: work) {
            for folder in try FileManager.default.contentsOfDirectory(atPath: work) {
                try await abandoned("\(work)/\(folder)").end()
            }
            try Self.removeFolder(work)
        }
        for folder in [work, workDirectory + "/cache"] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
    }

    /// Does what is left to do for a run.
    ///
    /// - Parameter attempt: which delivery this is, from 1; a build that dies twice is failed instead of repeated.
    /// - Throws: ``Retry``; `CancellationError`, after the child has been ended; a `TransferError` of the claim.
    func carryOut(_ run: String, attempt: Int) async throws {
        switch try await controller.claim(run, holder: holder) {
        case .over: return
        case .held: throw Retry(reason: "another builder holds the run")
        case .claimed(let claim):
            let start = ContinuousClock.now
            try await build(run, claim, attempt: attempt)
            duration.record(duration: ContinuousClock.now - start)
        }
    }

    private func build(_ run: String, _ claim: ClaimedRun, attempt: Int) async throws {
        let reporter = RunReporter(controller: controller, run: run, fence: claim.fence)
        let folders = try makeFolders(run, claim)
        defer { remove(folders.work) }
        let job = BuildJob(
            run: run, claim: claim, storage: storage, cacheDirectory: folders.cache, workDirectory: folders.work)
        do {
            // The lease is kept while an earlier build of the app is still ending.
            let outcome = try await watched(reporter, claim.app) {
                try await apps.withKey(claim.app) {
                    try await pushes.noting(claim.app) {
                        try await pushes.settle(claim.app)
                        // Another push may have come while this one waited: it is not begun then.
                        if try await reporter.heartbeat() { throw Cancelled() }
                        return try await finishing(folders.work) { try await process.run(job, reporter: reporter) }
                    }
                }
            }
            guard let outcome else {
                logger.info("Build cancelled", metadata: ["app": "\(claim.app)", "run": "\(run)"])
                return dropped.increment()
            }
            try await report(outcome, reporter, attempt: attempt)
        } catch is FencedOff {
            logger.info("Build not wanted any more", metadata: ["app": "\(claim.app)", "run": "\(run)"])
            dropped.increment()
        } catch is Cancelled {
            logger.info("Build cancelled", metadata: ["app": "\(claim.app)", "run": "\(run)"])
            dropped.increment()
        } catch is RunReporter.LeaseLost {
            throw Retry(reason: "the controller was away for longer than the lease")
        }
    }

    /// Runs a build, and ends what it leaves running, whatever became of it.
    private func finishing(
        _ work: String, _ body: @Sendable () async throws -> BuildOutcome
    ) async throws -> BuildOutcome {
        let outcome: Result<BuildOutcome, any Error>
        do {
            outcome = .success(try await body())
        } catch {
            outcome = .failure(error)
        }
        // Awaited at once; a task of its own because a cancelled one could start no program.
        await Task { await end(work) }.value
        return try outcome.get()
    }

    private func end(_ work: String) async {
        do {
            try await abandoned(work).end()
        } catch {
            logger.warning("Abandoned build not ended", metadata: ["error": "\(error)"])
        }
    }

    private func abandoned(_ folder: String) -> AbandonedBuild {
        AbandonedBuild(workFolder: folder, environment: process.environment, logger: logger)
    }

    private func report(_ outcome: BuildOutcome, _ reporter: RunReporter, attempt: Int) async throws {
        switch outcome {
        case .built(let result):
            do {
                try await reporter.result(result)
                built.increment()
            } catch let refusal as ResultRefused {
                try await reporter.failed(
                    phase: "image", reason: "The controller refused the build: \(refusal.reason)",
                    hint: "Correct Procfile or .drycc and push again.")
                failed.increment()
            }
        case .failed(let phase, let reason, let hint):
            try await reporter.failed(phase: phase, reason: reason, hint: hint)
            failed.increment()
        case .temporary where attempt < 5:
            throw Retry(reason: "storage or registry could not be reached")
        case .temporary:
            try await reporter.failed(
                phase: "image", reason: "Storage or registry could not be reached.", hint: "Push again later.")
            failed.increment()
        case .died(let how) where attempt < 2:
            throw Retry(reason: how)
        case .died(let how):
            try await reporter.failed(phase: "build", reason: how, hint: "Tell the operator of this platform.")
            failed.increment()
        }
    }

    /// Runs a build while its lease is renewed and its lines are sent; nil when it was cancelled.
    private func watched(
        _ reporter: RunReporter, _ app: AppName, _ body: @escaping @Sendable () async throws -> BuildOutcome
    ) async throws -> BuildOutcome? {
        try await withThrowingTaskGroup(of: BuildOutcome?.self) { group in
            group.addTask { try await body() }
            group.addTask {
                try await pushes.noting(app) {
                    // Well within the lease; a cancelled run is noticed at the next one.
                    while try await !reporter.heartbeat() { try await Task.sleep(for: .seconds(2)) }
                    return nil
                }
            }
            group.addTask {
                try await pushes.noting(app) {
                    while true {
                        // Lines that come close together travel in one request.
                        try await Task.sleep(for: .milliseconds(100))
                        try await reporter.flush()
                    }
                }
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
    }

    private func makeFolders(_ run: String, _ claim: ClaimedRun) throws -> (cache: String, work: String) {
        let cache = "\(workDirectory)/cache/\(claim.app.text)"
        let work = "\(workDirectory)/work/\(UUID().uuidString)-\(claim.fence)"
        for folder in [cache, work] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        return (cache, work)
    }

    /// Removes a folder of which a process that is ending may remove parts at the same time.
    private static func removeFolder(_ folder: String) throws {
        while FileManager.default.fileExists(atPath: folder) {
            do {
                try FileManager.default.removeItem(atPath: folder)
            } catch let error as CocoaError where error.code == .fileNoSuchFile {
                // Somebody else removed what was just found; the rest is looked through again.
                continue
            }
        }
    }

    private func remove(_ folder: String) {
        do {
            try Self.removeFolder(folder)
        } catch {
            logger.warning("Work folder not removed", metadata: ["error": "\(error)"])
        }
    }
}
