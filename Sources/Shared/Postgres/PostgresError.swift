/// Why a database operation failed.
///
/// Printing it shows nothing of the statement or the server's words, which may hold users' data;
/// `String(reflecting:)` gives the details for a log.
package struct PostgresError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// What callers branch on.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String, CaseIterable {
            case uniqueViolation, foreignKeyViolation, checkViolation, notNullViolation, exclusionViolation
            case serializationFailure, deadlock, lockNotAvailable
            case connectionLost, unavailable, commitOutcomeUnknown
            case poolExhausted, closed, timeout, cancelled
            case dataException, invalidStatement, decoding, noRow, migration, server
        }

        private let kind: Kind

        private init(_ kind: Kind) {
            self.kind = kind
        }

        /// A row with the same key exists; see the constraint's name.
        package static let uniqueViolation = Code(.uniqueViolation)
        /// A referenced row is missing or a referencing one is left.
        package static let foreignKeyViolation = Code(.foreignKeyViolation)
        /// A check constraint refused the row.
        package static let checkViolation = Code(.checkViolation)
        /// A column that needs a value was given NULL.
        package static let notNullViolation = Code(.notNullViolation)
        /// An exclusion constraint refused the row.
        package static let exclusionViolation = Code(.exclusionViolation)
        /// The transaction conflicted with another one; running it again may succeed.
        package static let serializationFailure = Code(.serializationFailure)
        /// The transaction was chosen to end a deadlock; running it again may succeed.
        package static let deadlock = Code(.deadlock)
        /// `NOWAIT` or a lock timeout found the lock taken.
        package static let lockNotAvailable = Code(.lockNotAvailable)
        /// The connection broke; whether the statement took effect is unknown unless it was in a transaction.
        package static let connectionLost = Code(.connectionLost)
        /// No connection could be made: the server is away or refuses the user, password or database.
        package static let unavailable = Code(.unavailable)
        /// The connection broke during COMMIT: the transaction may have been applied or not.
        package static let commitOutcomeUnknown = Code(.commitOutcomeUnknown)
        /// All connections stayed busy for the time a caller may wait.
        package static let poolExhausted = Code(.poolExhausted)
        /// The pool is shut down, or the transaction has ended.
        package static let closed = Code(.closed)
        /// The statement ran longer than it may.
        package static let timeout = Code(.timeout)
        /// The calling task was cancelled; the statement was stopped.
        package static let cancelled = Code(.cancelled)
        /// A value does not fit its type.
        package static let dataException = Code(.dataException)
        /// The statement is wrong or names something missing: a mistake in the program or an old schema.
        package static let invalidStatement = Code(.invalidStatement)
        /// A column is missing or holds another type than the program reads.
        package static let decoding = Code(.decoding)
        /// One row was expected and there was none.
        package static let noRow = Code(.noRow)
        /// The recorded migrations do not match the program's.
        package static let migration = Code(.migration)
        /// Any other refusal of the server; see the SQLSTATE.
        package static let server = Code(.server)

        /// Every code, for metrics.
        static var all: [Code] { Kind.allCases.map { Code($0) } }

        package var description: String { kind.rawValue }
    }

    package let code: Code
    /// The violated constraint's name, for the constraint codes.
    package let constraint: String?
    /// The server's five-character code, if the error came from there.
    package let sqlState: String?
    let detail: String
    private(set) var statement: String?

    init(_ code: Code, detail: String, sqlState: String? = nil, constraint: String? = nil) {
        self.code = code
        self.detail = detail
        self.sqlState = sqlState
        self.constraint = constraint
    }

    /// The same failure with the statement it came from, for the log.
    func during(_ sql: SQL) -> PostgresError {
        var copy = self
        copy.statement = statement ?? sql.text
        return copy
    }

    /// Whether the same transaction may succeed when run again from its beginning.
    package var isSerializationConflict: Bool { code == .serializationFailure || code == .deadlock }

    /// Whether the database may answer later: nothing is wrong with the statement.
    package var isTransient: Bool {
        isSerializationConflict
            || [.connectionLost, .unavailable, .poolExhausted, .lockNotAvailable, .timeout].contains(code)
    }

    package var description: String { "The database operation failed." }

    package var debugDescription: String {
        var text = "PostgresError(\(code)"
        if let sqlState { text += ", \(sqlState)" }
        if let constraint { text += ", constraint \(constraint)" }
        text += ": \(detail)"
        if let statement { text += ", in: \(statement)" }
        return text + ")"
    }
}

extension PostgresError.Code {
    /// The code of a SQLSTATE (PostgreSQL's appendix A).
    static func of(sqlState: String) -> Self {
        switch sqlState {
        case "23505": .uniqueViolation
        case "23503": .foreignKeyViolation
        case "23514": .checkViolation
        case "23502": .notNullViolation
        case "23P01": .exclusionViolation
        case "40001": .serializationFailure
        case "40P01": .deadlock
        case "55P03": .lockNotAvailable
        case "57014": .timeout
        case "53300", "57P03": .unavailable
        case "57P01", "57P02", "57P05", "25P03": .connectionLost
        default: ofClass(sqlState.prefix(2))
        }
    }

    private static func ofClass(_ prefix: Substring) -> Self {
        switch prefix {
        case "08": .connectionLost
        case "22": .dataException
        case "26", "34", "3D", "3F", "42": .invalidStatement
        default: .server
        }
    }
}
