import FoundationEssentials
import PlatformModel
import Testing

@testable import Postgres

@Suite struct SQLTests {
    @Test func valuesBecomeNumberedBinds() {
        let name = "shop'; DROP TABLE apps"
        let sql: SQL = "SELECT id FROM apps WHERE name = \(name) AND size > \(3)"
        #expect(sql.text == "SELECT id FROM apps WHERE name = $1 AND size > $2")
        #expect(sql.binds == [name, "3"])
    }

    @Test func fragmentsAreRenumbered() {
        let condition: SQL = "owner = \("ada") OR owner = \("ben")"
        let sql: SQL = "SELECT 1 WHERE id = \(7) AND (\(sql: condition)) LIMIT \(5)"
        #expect(sql.text == "SELECT 1 WHERE id = $1 AND (owner = $2 OR owner = $3) LIMIT $4")
        #expect(sql.binds == ["7", "ada", "ben", "5"])
    }

    @Test func namesAreQuoted() {
        let sql: SQL = "LISTEN \(identifier: "we\"ird")"
        #expect(sql.text == "LISTEN \"we\"\"ird\"")
    }

    @Test func nothingIsNull() {
        let absent: String? = nil
        let sql: SQL = "SELECT \(absent as String?), \(json: absent)"
        #expect(sql.binds == [nil, nil])
    }

    @Test(arguments: [
        (0.0, "1970-01-01 00:00:00.000000+00"),
        (-0.5, "1969-12-31 23:59:59.500000+00"),
        (1_778_429_289.123456, "2026-05-10 16:08:09.123456+00"),
        (951_782_400.0, "2000-02-29 00:00:00.000000+00"),
        (-62_167_219_200.0, "0001-01-01 00:00:00.000000+00 BC"),
    ])
    func timestampsAreWritten(seconds: Double, text: String) {
        #expect(PostgresTimestamp.text(of: Date(timeIntervalSince1970: seconds)) == text)
    }

    @Test(
        arguments: [
            ("2026-05-10 16:08:09.123456+00", 1_778_429_289.123456), ("2026-05-10 18:08:09+02", 1_778_429_289.0),
            ("2026-05-10 12:38:09-03:30", 1_778_429_289.0), ("2026-05-10", 1_778_371_200.0), ("infinity", nil),
            ("0044-03-15 00:00:00+00 BC", nil), ("2026-13-10 00:00:00+00", nil), ("", nil),
            ("2026-05-10 16:08+00", nil),
        ] as [(String, Double?)])
    func timestampsAreRead(text: String, seconds: Double?) {
        #expect(PostgresTimestamp.date(from: text)?.timeIntervalSince1970 == seconds)
    }
}
