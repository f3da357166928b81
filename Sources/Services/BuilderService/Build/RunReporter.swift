import ConcurrencyPrimitives
import CurlTransfer
import Logging

/// Forwards a build's lines and phases to the controller, in order and in batches, and keeps the lease.
///
/// A controller that is away is waited for as long as the lease may still be ours; meanwhile the build is held back.
actor RunReporter {
    /// The lease could not be renewed in time: another builder may have taken over.
    struct LeaseLost: Error {}

    private enum Entry {
        case line(HookModels.LogLine)
        case phase(HookModels.Phase)
    }

    private static let batch = 200
    private static let lease: Duration = .seconds(50)

    private let controller: ControllerClient
    private let run: String
    private let fence: Int
    private let turn = KeyedQueue<Int>()
    private var entries: [Entry] = []
    private var renewed = ContinuousClock.now

    init(controller: ControllerClient, run: String, fence: Int) {
        self.controller = controller
        self.run = run
        self.fence = fence
    }

    func line(phase: String, text: String) async throws {
        entries.append(.line(.init(phase: phase, text: text)))
        if entries.count >= Self.batch { try await flush() }
    }

    func phase(_ phase: String, text: String, seconds: Double) async throws {
        entries.append(.phase(.init(fence: fence, phase: phase, text: text, seconds: seconds)))
        try await flush()
    }

    /// Sends what has gathered; returns when it has arrived.
    func flush() async throws {
        guard !entries.isEmpty else { return }
        try await turn.withKey(0) { try await self.sendAll() }
    }

    /// Renews the lease; true when the run has been cancelled.
    func heartbeat() async throws -> Bool {
        let isCancelled = try await withinLease { try await self.controller.heartbeat(self.run, fence: self.fence) }
        return isCancelled
    }

    func result(_ result: BuildResult) async throws {
        try await flush()
        let report = BuildResult.Report(fence: fence, result: result)
        try await withinLease { try await self.controller.report(report, of: self.run) }
    }

    func failed(phase: String, reason: String, hint: String?) async throws {
        try await flush()
        let failure = HookModels.Failure(fence: fence, phase: phase, reason: reason, hint: hint)
        try await withinLease { try await self.controller.report(failure, of: self.run) }
    }

    private func sendAll() async throws {
        while let first = entries.first {
            switch first {
            case .phase(let phase):
                entries.removeFirst()
                try await withinLease { try await self.controller.append(phase: phase, to: self.run) }
            case .line:
                let lines = takeLines()
                try await withinLease { try await self.controller.append(lines, to: self.run, fence: self.fence) }
            }
        }
    }

    private func takeLines() -> [HookModels.LogLine] {
        var lines: [HookModels.LogLine] = []
        while lines.count < Self.batch, case .line(let line)? = entries.first {
            lines.append(line)
            entries.removeFirst()
        }
        return lines
    }

    /// Repeats `body` while the controller is away and the lease lasts. Every answer renews the lease.
    private func withinLease<Value: Sendable>(_ body: @Sendable () async throws -> Value) async throws -> Value {
        for wait in Backoff(initial: .milliseconds(200), limit: .seconds(3)) {
            do {
                let value = try await body()
                renewed = .now
                return value
            } catch let error as TransferError where error.isTransient || error.status == 500 {
                guard ContinuousClock.now - renewed < Self.lease else { throw LeaseLost() }
            }
            try await Task.sleep(for: wait)
        }
        throw LeaseLost()
    }
}
