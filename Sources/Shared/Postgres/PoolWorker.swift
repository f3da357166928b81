import ConcurrencyPrimitives
import Logging
import Synchronization

/// One connection's thread: takes requests from the pool's queue, or serves one lease.
final class PoolWorker: Sendable {
    enum Command: Sendable {
        case run(StatementRequest)
        /// The lease is over; a connection in doubt is closed.
        case endLease(discard: Bool)
    }

    let wake = WakeSignal()
    private let core: PoolCore
    private let mailbox = Mutex<[Command]>([])

    init(core: PoolCore) {
        self.core = core
    }

    /// Leaves a command for the thread; the caller wakes it.
    func post(_ command: Command) {
        mailbox.withLock { $0.append(command) }
    }

    private func takeCommand() -> Command? {
        mailbox.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }

    /// The thread's life: connect when there is work, serve until the connection breaks, begin again.
    func run() {
        while let connection = connect() {
            core.didConnect()
            serve(connection)
            core.didDisconnect()
        }
    }

    /// Waits for work, then connects, with growing pauses between attempts; nil when the pool is closed.
    private func connect() -> ConnectionHandle? {
        var pauses = Backoff(initial: .milliseconds(50), limit: .seconds(2)).makeIterator()
        while let isWanted = core.wantsConnection(self) {
            guard isWanted else {
                _ = wake.wait(limit: nil)
                continue
            }
            do throws(PostgresError) {
                return try ConnectionHandle(
                    url: core.configuration.url, applicationName: core.configuration.applicationName)
            } catch {
                core.didFail(error)
                core.logger.warning(
                    "Cannot connect to the database", metadata: ["error": "\(String(reflecting: error))"])
                pause(pauses.next() ?? .seconds(2))
            }
        }
        return nil
    }

    /// Rests between attempts to connect; only the end of the pool cuts it short.
    private func pause(_ length: Duration) {
        let end = ContinuousClock.now + length
        while !core.isClosed, ContinuousClock.now < end { _ = wake.wait(limit: end - ContinuousClock.now) }
    }

    private func serve(_ connection: ConnectionHandle) {
        while !connection.isBroken {
            switch core.next(for: self) {
            case .stop: return
            case .serve(let request):
                // Since this thread last looked, the connection may have been lost before the request came.
                connection.consumeInput()
                guard !connection.isBroken else { return core.putBack(request) }
                serve(request, on: connection)
            case .idle:
                guard let request = rest(connection) else { return }
                serve(request, on: connection)
            }
        }
    }

    /// Waits for a request; nil when the connection broke or the pool closed meanwhile.
    private func rest(_ connection: ConnectionHandle) -> StatementRequest? {
        while true {
            if wake.wait(alsoFor: connection.socket, limit: nil) { connection.consumeInput() }
            let command = takeCommand()
            if case .run(let request) = command {
                guard connection.isBroken else { return request }
                // It has not been sent yet, so another connection may have it.
                core.putBack(request)
                return nil
            }
            if core.isClosed { return nil }
            if connection.isBroken, core.withdraw(self) { return nil }
        }
    }

    private func serve(_ request: StatementRequest, on connection: ConnectionHandle) {
        guard request.start(on: wake) else { return }
        core.metrics.recordWait(since: request.created)
        switch request.work {
        case .statement(let sql):
            request.finish(run(sql, for: request, on: connection).map(StatementRequest.Answer.result))
        case .lease:
            if request.finish(.success(.lease(Lease(worker: self)))) { serveLease(on: connection) }
        }
    }

    private func serveLease(on connection: ConnectionHandle) {
        while true {
            guard let command = takeCommand() else {
                _ = wake.wait(limit: nil)
                continue
            }
            switch command {
            case .endLease(let discard):
                if discard || !connection.isIdle { connection.giveUp() }
                return
            case .run(let request):
                guard request.start(on: wake), case .statement(let sql) = request.work else { continue }
                request.finish(run(sql, for: request, on: connection).map(StatementRequest.Answer.result))
            }
        }
    }

    private func run(
        _ sql: SQL, for request: StatementRequest, on connection: ConnectionHandle
    ) -> Result<ResultHandle, PostgresError> {
        guard !connection.isBroken else {
            return .failure(PostgresError(.connectionLost, detail: "the connection broke earlier in the transaction"))
        }
        let start = ContinuousClock.now
        let watch = StatementWatch(limit: sql.limit ?? core.configuration.statementLimit, wake: wake) {
            request.isCancelRequested
        }
        defer { core.metrics.recordStatement(since: start) }
        do throws(PostgresError) {
            return .success(try connection.run(sql, watch: watch))
        } catch {
            core.metrics.count(error)
            return .failure(error.during(sql))
        }
    }
}
