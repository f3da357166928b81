/// Runs statements: a pool, where each stands alone, or an open transaction.
///
/// Every statement is bounded by the pool's statement limit or its own (``SQL/limited(to:)``). Cancelling the calling
/// task stops the statement on the server and throws `.cancelled`.
package protocol SQLExecutor: Sendable {
    /// Runs a statement that answers rows.
    func query(_ sql: SQL) async throws(PostgresError) -> Rows

    /// Runs a statement and returns how many rows it changed.
    @discardableResult
    func execute(_ sql: SQL) async throws(PostgresError) -> Int
}
