import PlatformModel
import Postgres

// Names that were checked on their way in travel to the database and back as plain text columns.

extension AppName: PostgresEncodable, PostgresDecodable {
    var postgresText: String? { text }

    init?(postgresText text: String) { self.init(ifValid: text) }
}

extension WorkspaceName: PostgresEncodable, PostgresDecodable {
    var postgresText: String? { text }

    init?(postgresText text: String) { self.init(ifValid: text) }
}

extension ReleaseNumber: PostgresEncodable, PostgresDecodable {
    var postgresText: String? { String(value) }

    init?(postgresText text: String) {
        do throws(InvalidValue) {
            try self.init(parsing: text)
        } catch {
            // Not a number: the row's error names the column.
            return nil
        }
    }
}
