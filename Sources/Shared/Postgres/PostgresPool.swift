import ConcurrencyPrimitives
package import Logging
package import PlatformModel
import ServiceLifecycle

/// A bounded set of connections to one database, each on a thread of its own.
///
/// Connections are made when there is work and replaced when they break, with growing pauses; a database that is away
/// costs callers at most the acquire limit. As a service it closes when graceful shutdown begins, so it must be
/// shut down after everything that uses it. Without a service it closes with its last reference.
package final class PostgresPool: SQLExecutor, Service {
    /// Where the database is and how much of it the process may use.
    package struct Configuration: Sendable {
        /// A `postgresql://` URL or any other libpq connection string.
        package var url: Secret
        /// Number of connections, at least 1.
        package var size: Int
        /// How long a caller may wait for a connection.
        package var acquireLimit: Duration
        /// How long a statement may run unless it says otherwise.
        package var statementLimit: Duration
        /// What the server shows for the connections.
        package var applicationName: String

        package init(
            url: Secret, size: Int = 8, acquireLimit: Duration = .seconds(10), statementLimit: Duration = .seconds(30),
            applicationName: String = "workflow"
        ) {
            self.url = url
            self.size = size
            self.acquireLimit = acquireLimit
            self.statementLimit = statementLimit
            self.applicationName = applicationName
        }
    }

    private let core: PoolCore

    package init(configuration: Configuration, logger: Logger) {
        core = PoolCore(configuration: configuration, logger: logger)
        core.start()
    }

    deinit { core.close() }

    /// Waits for graceful shutdown or cancellation, then closes the pool.
    package func run() async throws {
        do {
            try await gracefulShutdown()
        } catch {
            core.close()
            throw error
        }
        core.close()
    }

    /// Closes the pool: waiting and later callers get `.closed`, running statements and transactions end as usual.
    package func close() {
        core.close()
    }

    package func query(_ sql: SQL) async throws(PostgresError) -> Rows {
        Rows(try await run(sql))
    }

    @discardableResult
    package func execute(_ sql: SQL) async throws(PostgresError) -> Int {
        try await run(sql).affectedRows
    }

    /// Asks the server for a sign of life, for readiness checks.
    package func ping() async throws(PostgresError) {
        _ = try await run("SELECT 1")
    }

    /// Runs `body` in a transaction: commits when it returns, rolls back when it throws.
    ///
    /// - Parameters:
    ///   - attempts: how often the whole body may run when it fails by a serialization conflict or deadlock. More than
    ///     one only for bodies whose effects are all in the database.
    /// - Throws: what `body` throws; a ``PostgresError`` when the transaction cannot begin or commit.
    ///   `.commitOutcomeUnknown` when the connection broke during COMMIT. A body that hides a failed statement's error
    ///   and returns still does not commit: that throws `.invalidStatement`.
    package func withTransaction<Value>(
        isolation level: TransactionIsolation = .readCommitted,
        attempts: Int = 1,
        isolatedTo caller: isolated (any Actor)? = #isolation,
        _ body: (Transaction) async throws -> Value
    ) async throws -> Value {
        var pauses = Backoff(initial: .milliseconds(5), limit: .milliseconds(250), jitter: 1).makeIterator()
        for attempt in 1... {
            let lease = try await lease()
            do {
                return try await runOnce(on: lease, level, body)
            } catch {
                guard lease.hasConflict, attempt < attempts else { throw error }
                try await Task.sleep(for: pauses.next() ?? .milliseconds(250))
            }
        }
        preconditionFailure("an endless sequence ended")
    }

    private func runOnce<Value>(
        on lease: Lease, _ level: TransactionIsolation, isolatedTo caller: isolated (any Actor)? = #isolation,
        _ body: (Transaction) async throws -> Value
    ) async throws -> Value {
        do {
            _ = try await lease.run(level.begin, isCancellable: false)
            let value = try await body(Transaction(lease))
            try await commit(lease)
            return value
        } catch let error as PostgresError where error.code == .commitOutcomeUnknown {
            lease.end(discard: true)
            throw error
        } catch {
            do throws(PostgresError) {
                _ = try await lease.run(SQL(unsafe: "ROLLBACK"), isCancellable: false)
                lease.end(discard: false)
            } catch {
                // Closing the connection rolls back as well; the body's error is the one to report.
                lease.end(discard: true)
            }
            throw error
        }
    }

    private func commit(_ lease: Lease) async throws(PostgresError) {
        let result: ResultHandle
        do throws(PostgresError) {
            result = try await lease.run(SQL(unsafe: "COMMIT"), isCancellable: false)
        } catch {
            guard error.code == .connectionLost || error.code == .timeout else { throw error }
            throw PostgresError(.commitOutcomeUnknown, detail: error.detail)
        }
        lease.end(discard: false)
        guard result.commandTag == "COMMIT" else {
            throw PostgresError(.invalidStatement, detail: "rolled back: a statement of the transaction had failed")
        }
    }

    private func run(_ sql: SQL) async throws(PostgresError) -> ResultHandle {
        let outcome = await StatementRequest(.statement(sql)).answer { core.submit($0) }
        guard case .result(let result) = try outcome.get() else {
            throw PostgresError(.closed, detail: "a statement was answered by a lease")
        }
        return result
    }

    /// A connection for the caller alone, who must end the lease.
    func lease() async throws(PostgresError) -> Lease {
        let outcome = await StatementRequest(.lease).answer { core.submit($0) }
        guard case .lease(let lease) = try outcome.get() else {
            throw PostgresError(.closed, detail: "a lease was answered by a result")
        }
        return lease
    }
}
