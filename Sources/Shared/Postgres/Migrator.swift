package import Logging

/// One step of a schema's history. Once landed it never changes.
package struct Migration: Sendable, Hashable {
    /// Its place in the order; unique in its list.
    package let number: Int
    package let name: String
    /// One or more statements, run in one transaction.
    package let sql: String

    package init(number: Int, name: String, sql: String) {
        self.number = number
        self.name = name
        self.sql = sql
    }
}

/// Brings a database's schema to what the program expects.
///
/// Several processes may run it at once: an advisory lock lets them take turns. Migrations that are recorded in the
/// database but unknown to the program are left alone, so a release runs with its successor's schema.
package struct Migrator: Sendable {
    private let migrations: [Migration]
    private let lockKey: Int

    /// - Parameters:
    ///   - migrations: in any order, with unique numbers.
    ///   - lockKey: the advisory lock's key; each list that shares a database needs its own.
    package init(migrations: [Migration], lockKey: Int) {
        self.migrations = migrations.sorted { $0.number < $1.number }
        self.lockKey = lockKey
        precondition(Set(migrations.map(\.number)).count == migrations.count, "migration numbers are unique")
    }

    /// Applies what is missing, each migration in a transaction of its own.
    ///
    /// - Returns: how many were applied.
    /// - Throws: ``PostgresError`` with `.migration` when a recorded migration differs from the program's.
    @discardableResult
    package func run(_ pool: PostgresPool, logger: Logger) async throws(PostgresError) -> Int {
        let lease = try await pool.lease()
        let lock: SQL = "SELECT pg_advisory_lock(\(lockKey))"
        do throws(PostgresError) {
            _ = try await lease.run(lock.limited(to: .seconds(600)))
            let applied = try await apply(on: lease, logger: logger)
            _ = try await lease.run("SELECT pg_advisory_unlock(\(lockKey))", isCancellable: false)
            lease.end(discard: false)
            return applied
        } catch {
            // Closing the connection rolls back and gives up the advisory lock.
            lease.end(discard: true)
            throw error
        }
    }

    /// The numbers of the migrations that the database lacks; empty when the schema is ready for this program.
    package func missing(in pool: PostgresPool) async throws(PostgresError) -> [Int] {
        let table = try await pool.query("SELECT to_regclass('schema_migrations') IS NOT NULL AS present").one()
        guard try table.decode("present", as: Bool.self) else { return migrations.map(\.number) }
        var recorded: Set<Int> = []
        for row in try await pool.query("SELECT number FROM schema_migrations") {
            recorded.insert(try row.decode("number"))
        }
        return migrations.map(\.number).filter { !recorded.contains($0) }
    }

    private func apply(on lease: Lease, logger: Logger) async throws(PostgresError) -> Int {
        _ = try await lease.run(
            """
            CREATE TABLE IF NOT EXISTS schema_migrations (
                number bigint PRIMARY KEY,
                name text NOT NULL,
                checksum text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """)
        var recorded: [Int: String] = [:]
        for row in Rows(try await lease.run("SELECT number, checksum FROM schema_migrations")) {
            recorded[try row.decode("number")] = try row.decode("checksum", as: String.self)
        }
        var applied = 0
        for (migration, checksum) in zip(migrations, try await checksums(on: lease)) {
            if let known = recorded[migration.number] {
                guard known == checksum else {
                    throw PostgresError(
                        .migration,
                        detail: "migration \(migration.number) \(migration.name) changed after it was applied")
                }
                continue
            }
            try await apply(migration, checksum: checksum, on: lease)
            logger.info("Applied a migration", metadata: ["migration": "\(migration.number) \(migration.name)"])
            applied += 1
        }
        return applied
    }

    private func apply(_ migration: Migration, checksum: String, on lease: Lease) async throws(PostgresError) {
        _ = try await lease.run(SQL(unsafe: "BEGIN"))
        _ = try await lease.run(SQL(unsafe: migration.sql).limited(to: .seconds(3600)))
        _ = try await lease.run(
            """
            INSERT INTO schema_migrations (number, name, checksum)
            VALUES (\(migration.number), \(migration.name), \(checksum))
            """)
        let result = try await lease.run(SQL(unsafe: "COMMIT"), isCancellable: false)
        guard result.commandTag == "COMMIT" else {
            throw PostgresError(.migration, detail: "migration \(migration.number) was rolled back")
        }
    }

    /// SHA-256 of each migration's text, computed by the server.
    private func checksums(on lease: Lease) async throws(PostgresError) -> [String] {
        let rows = Rows(
            try await lease.run(
                """
                SELECT encode(sha256(convert_to(sql, 'UTF8')), 'hex') AS checksum
                FROM unnest(\(migrations.map(\.sql))::text[]) WITH ORDINALITY AS given (sql, place) ORDER BY place
                """))
        var checksums: [String] = []
        for row in rows { checksums.append(try row.decode("checksum")) }
        return checksums
    }
}
