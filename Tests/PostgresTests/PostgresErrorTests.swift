import PlatformModel
import Postgres
import TestSupport
import Testing

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct PostgresErrorTests {
    private struct Case: Sendable, CustomTestStringConvertible {
        let sql: SQL
        let code: PostgresError.Code
        var constraint: String?

        var testDescription: String { code.description }
    }

    private static let cases: [Case] = [
        Case(
            sql: "INSERT INTO apps (name, size) VALUES ('shop', 1)", code: .uniqueViolation, constraint: "apps_name_key"
        ),
        Case(
            sql: "INSERT INTO apps (name, size) VALUES ('x', 0)", code: .checkViolation, constraint: "apps_size_check"),
        Case(sql: "INSERT INTO apps (size) VALUES (1)", code: .notNullViolation),
        Case(sql: "INSERT INTO keys (app) VALUES ('none')", code: .foreignKeyViolation, constraint: "keys_app_fkey"),
        Case(sql: "INSERT INTO apps (name, size) VALUES ('x', \("many"))", code: .dataException),
        Case(sql: "SELECT nothing FROM nowhere", code: .invalidStatement),
        Case(sql: "SELEC 1", code: .invalidStatement),
        Case(sql: "SELECT 1 / 0", code: .dataException),
        Case(sql: "COPY apps TO STDOUT", code: .invalidStatement),
        Case(sql: "DO $$ BEGIN RAISE EXCEPTION 'own' USING ERRCODE = 'WF001'; END $$", code: .server),
    ]

    @Test(arguments: cases)
    private func refusalsHaveCodes(_ refusal: Case) async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            try await pool.execute(
                SQL(
                    unsafe: """
                        CREATE TABLE apps (name text NOT NULL UNIQUE, size int CHECK (size > 0));
                        CREATE TABLE keys (app text REFERENCES apps (name));
                        INSERT INTO apps VALUES ('shop', 1);
                        """))
            let error = await #expect(throws: PostgresError.self) { try await pool.execute(refusal.sql) }
            #expect(error?.code == refusal.code)
            if let constraint = refusal.constraint { #expect(error?.constraint == constraint) }
            #expect(try await pool.query("SELECT 1 AS one").one().decode("one", as: Int.self) == 1)
        }
    }

    @Test func printingAnErrorShowsNothingOfTheData() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            try await pool.execute("CREATE TABLE people (mail text UNIQUE)")
            try await pool.execute("INSERT INTO people VALUES (\("ada@example.org"))")
            let error = await #expect(throws: PostgresError.self) {
                try await pool.execute("INSERT INTO people VALUES (\("ada@example.org"))")
            }
            #expect(error.map { "\($0)" } == "The database operation failed.")
            let details = String(reflecting: try #require(error))
            #expect(details.contains("23505") && details.contains("people_mail_key") && details.contains("INSERT"))
        }
    }

    @Test func aRefusedPasswordMakesTheDatabaseUnavailable() async throws {
        try await withDatabase { database in
            let wrong = database.url.reveal().replacing(/:[0-9a-f]+@/, with: ":wrong@")
            let pool = PostgresPool(
                configuration: .init(url: .init(wrong), size: 1, acquireLimit: .seconds(2)), logger: database.logger)
            let failure = try await code { try await pool.ping() }
            #expect(failure == .unavailable)
        }
    }
}
