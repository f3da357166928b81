import FoundationEssentials
import PlatformModel
import Postgres

/// A host name of an app beside the one it has by itself.
struct Domain: Sendable, Equatable {
    let domain: String
    let ptype: String
    let created: Date
    let updated: Date
}

/// Domains of apps; a name is unique over all apps.
struct DomainStore: Sendable {
    private static func domain(_ row: Row) throws(PostgresError) -> Domain {
        Domain(
            domain: try row.decode("domain"), ptype: try row.decode("ptype"), created: try row.decode("created"),
            updated: try row.decode("updated"))
    }

    func page(
        of app: UUID, _ page: PageRequest, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Page<Domain> {
        let rows = try await executor.query(
            """
            SELECT domain, ptype, created, updated FROM domains WHERE app = \(app)
            ORDER BY domain LIMIT \(page.limit) OFFSET \(page.offset)
            """)
        let total = try await executor.query("SELECT count(*) AS total FROM domains WHERE app = \(app)")
        return Page(items: try rows.map(Self.domain), total: try total.one().decode("total"))
    }

    /// - Parameter given: the name as it was written, for the message.
    /// - Throws: ``Refusal`` 400 when another app has it.
    func insert(
        _ domain: String, given: String, ptype: String, app: UUID, in executor: some SQLExecutor
    ) async throws -> Domain {
        do throws(PostgresError) {
            return try Self.domain(
                try await executor.query(
                    """
                    INSERT INTO domains (app, domain, ptype) VALUES (\(app), \(domain), \(ptype))
                    RETURNING domain, ptype, created, updated
                    """
                ).one())
        } catch {
            guard error.constraint == "domains_domain_key" else { throw error }
            throw Refusal.field(
                "domain",
                given == domain
                    ? "Domain is already in use by another application"
                    : "The domain \(given) is already in use by another app")
        }
    }

    func delete(_ domain: String, app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> Bool {
        try await executor.execute("DELETE FROM domains WHERE app = \(app) AND domain = \(domain)") == 1
    }
}
