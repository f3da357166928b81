import FoundationEssentials
import PlatformModel
import Postgres
import TestSupport
import Testing

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct PostgresValueTests {
    private struct Document: Codable, Equatable {
        var name: String
        var made: Date
        var parts: [Int?]
    }

    private enum Stage: String, PostgresEncodable, PostgresDecodable {
        case live, failed
    }

    private func echo<Value: PostgresEncodable & PostgresDecodable>(
        _ value: Value, as type: SQL, on pool: PostgresPool
    ) async throws -> Value {
        try await pool.query("SELECT \(value)::\(sql: type) AS value").one().decode("value")
    }

    @Test func valuesComeBackAsTheyWent() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            let id = UUID()
            #expect(try await echo("ünï\n\"quoted\" \\ 'x'", as: "text", on: pool) == "ünï\n\"quoted\" \\ 'x'")
            #expect(try await echo("", as: "text", on: pool) == "")
            #expect(try await echo(Int.min, as: "bigint", on: pool) == Int.min)
            #expect(try await echo(Int16.max, as: "smallint", on: pool) == Int16.max)
            #expect(try await echo(0.1 + 0.2, as: "float8", on: pool) == 0.1 + 0.2)
            #expect(try await echo(-Double.infinity, as: "float8", on: pool) == -Double.infinity)
            #expect(try await echo(true, as: "boolean", on: pool))
            #expect(try await echo(id, as: "uuid", on: pool) == id)
            #expect(try await echo(Stage.failed, as: "text", on: pool) == .failed)
            let bytes = (0...255).map { UInt8($0) }
            #expect(try await echo(bytes, as: "bytea", on: pool) == bytes)
            #expect(try await echo(Data(bytes), as: "bytea", on: pool) == Data(bytes))
            #expect(try await echo([1, 2, 3], as: "bigint[]", on: pool) == [1, 2, 3])
            #expect(try await echo([String](), as: "text[]", on: pool) == [])
            let awkward = ["a,b", "{}", "\"", "\\", "NULL", "", "ü"]
            #expect(try await echo(awkward, as: "text[]", on: pool) == awkward)
            #expect(try await echo(["a", nil], as: "text[]", on: pool) == ["a", nil])
            #expect(try await echo(String?.none, as: "text", on: pool) == nil)
            let json: JSONValue = ["a": [1, 2.5, nil, true, "x"]]
            #expect(try await echo(json, as: "jsonb", on: pool) == json)
        }
    }

    @Test func datesKeepTheirMicroseconds() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            let date = Date(timeIntervalSince1970: 1_778_429_289.123456)
            let row = try await pool.query(
                "SELECT \(date)::timestamptz AS value, extract(epoch FROM \(date)::timestamptz)::text AS seconds"
            ).one()
            #expect(abs(try row.decode("value", as: Date.self).timeIntervalSince(date)) < 0.000_001)
            #expect(try row.decode("seconds") == "1778429289.123456")
        }
    }

    @Test func documentsAreStoredAsJSON() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            let document = Document(name: "a'b", made: Date(timeIntervalSince1970: 1_000_000), parts: [1, nil])
            let row = try await pool.query("SELECT \(json: document)::jsonb AS value, NULL::jsonb AS absent").one()
            #expect(try row.decode(json: "value") == document)
            #expect(try row.decodeIfPresent(json: "absent", as: Document.self) == nil)
        }
    }

    @Test func misreadColumnsAreNamedWithoutTheirValues() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            let row = try await pool.query("SELECT NULL AS nothing, 'secret' AS word, '{\"a\":1}'::jsonb AS tree").one()
            let attempts: [(String, @Sendable () throws -> Void)] = [
                ("missing", { _ = try row.decode("missing", as: Int.self) }),
                ("nothing", { _ = try row.decode("nothing", as: Int.self) }),
                ("word", { _ = try row.decode("word", as: Int.self) }),
                ("tree", { _ = try row.decode(json: "tree", as: Document.self) }),
            ]
            for (column, attempt) in attempts {
                let error = try #require(throws: PostgresError.self) { try attempt() }
                #expect(error.code == .decoding)
                #expect(String(reflecting: error).contains(column))
                #expect(!String(reflecting: error).contains("secret"))
            }
        }
    }

    @Test func oneRowIsNeitherNoneNorTwo() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            #expect(try await code { _ = try await pool.query("SELECT 1 WHERE false").one() } == .noRow)
            #expect(try await code { _ = try await pool.query("SELECT generate_series(1, 2)").one() } == .decoding)
        }
    }

    @Test func textWithAZeroByteIsRefusedInsteadOfCut() async throws {
        try await withDatabase { database in
            let pool = try database.pool(size: 1)
            #expect(try await code { _ = try await pool.query("SELECT \("a\0b")::text") } == .dataException)
        }
    }
}
