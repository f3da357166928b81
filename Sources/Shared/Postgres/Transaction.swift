/// An open transaction; ``PostgresPool/withTransaction(isolation:attempts:isolatedTo:_:)`` makes the only ones.
///
/// It begins no transactions itself, so they cannot nest. Statements of concurrent child tasks run one after the
/// other. Used after its closure has returned, it throws `.closed`.
package struct Transaction: SQLExecutor {
    private let lease: Lease

    init(_ lease: Lease) {
        self.lease = lease
    }

    package func query(_ sql: SQL) async throws(PostgresError) -> Rows {
        Rows(try await lease.run(sql))
    }

    @discardableResult
    package func execute(_ sql: SQL) async throws(PostgresError) -> Int {
        try await lease.run(sql).affectedRows
    }
}

/// How far a transaction is kept apart from others.
package enum TransactionIsolation: Sendable {
    /// Each statement sees what was committed before it began.
    case readCommitted
    /// All statements see one state; conflicting writes fail with `.serializationFailure`.
    case repeatableRead
    /// As if transactions ran one after the other; conflicts fail with `.serializationFailure`.
    case serializable

    var begin: SQL {
        switch self {
        case .readCommitted: SQL(unsafe: "BEGIN ISOLATION LEVEL READ COMMITTED")
        case .repeatableRead: SQL(unsafe: "BEGIN ISOLATION LEVEL REPEATABLE READ")
        case .serializable: SQL(unsafe: "BEGIN ISOLATION LEVEL SERIALIZABLE")
        }
    }
}
