import CLibPQ
import Glibc

/// Owns one answer of libpq and clears it exactly once.
@safe final class ResultHandle: @unchecked Sendable {
    // Invariant: libpq never changes a result after PQgetResult has returned it, so any thread may read it.
    private let pointer: OpaquePointer
    let rowCount: Int

    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = unsafe pointer
        rowCount = Int(unsafe PQntuples(pointer))
    }

    deinit { unsafe PQclear(pointer) }

    /// How many rows the statement changed, or answered.
    var affectedRows: Int { Int(unsafe String(cString: PQcmdTuples(pointer))) ?? 0 }

    /// What the server says it did, such as `COMMIT`.
    var commandTag: String { unsafe String(cString: PQcmdStatus(pointer)) }

    /// Whether the statement began copying data, which this library does not speak.
    var isCopy: Bool {
        let status = unsafe PQresultStatus(pointer)
        return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH
    }

    /// The server's refusal, if the answer is one.
    var failure: PostgresError? {
        let status = unsafe PQresultStatus(pointer)
        guard status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE else { return nil }
        let detail = [field("M"), field("D"), field("H")].compactMap(\.self).joined(separator: "; ")
        guard let state = field("C") else {
            let message = unsafe String(cString: PQresultErrorMessage(pointer))
            return PostgresError(.connectionLost, detail: detail.isEmpty ? message : detail)
        }
        return PostgresError(.of(sqlState: state), detail: detail, sqlState: state, constraint: field("n"))
    }

    /// One field of an error, by the letter of libpq's PG_DIAG constants.
    private func field(_ letter: Unicode.Scalar) -> String? {
        guard let text = unsafe PQresultErrorField(pointer, CInt(letter.value)) else { return nil }
        return unsafe String(cString: text)
    }

    /// The position of the first column of that name.
    func column(named name: String) -> CInt? {
        unsafe name.withCString { wanted in
            let count = unsafe PQnfields(pointer)
            return (0..<count).first { unsafe strcmp(PQfname(pointer, $0), wanted) == 0 }
        }
    }

    /// The text of one value, nil for NULL.
    func text(row: Int, column: CInt) -> String? {
        guard unsafe PQgetisnull(pointer, CInt(row), column) == 0,
            let start = unsafe PQgetvalue(pointer, CInt(row), column)
        else { return nil }
        let length = Int(unsafe PQgetlength(pointer, CInt(row), column))
        let bytes = unsafe UnsafeRawBufferPointer(start: start, count: length)
        return unsafe String(decoding: bytes, as: UTF8.self)
    }
}
