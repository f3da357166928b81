import FoundationEssentials

/// The answer of a query, row by row.
package struct Rows: RandomAccessCollection, Sendable {
    private let result: ResultHandle

    init(_ result: ResultHandle) {
        self.result = result
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { result.rowCount }

    package subscript(position: Int) -> Row {
        precondition(indices.contains(position), "row \(position) of \(result.rowCount)")
        return Row(result: result, number: position)
    }

    /// The only row.
    ///
    /// - Throws: `.noRow` when the query found none; a second row is `.decoding`, since the query promised one.
    package func one() throws(PostgresError) -> Row {
        guard count > 0 else { throw PostgresError(.noRow, detail: "no row where one was expected") }
        guard count == 1 else { throw PostgresError(.decoding, detail: "\(count) rows where one was expected") }
        return self[0]
    }
}

/// One row, whose columns are read by name.
package struct Row: Sendable {
    let result: ResultHandle
    let number: Int

    /// The value of a column.
    ///
    /// - Throws: `.decoding` when there is no such column, it is NULL and `Value` is not optional, or it holds
    ///   something else. The error names the column, never its value.
    package func decode<Value: PostgresDecodable>(
        _ column: String, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard let text = try text(column) else {
            if let value = Value.postgresNull { return value }
            throw PostgresError(.decoding, detail: "column \(column) is NULL, expected \(type)")
        }
        guard let value = Value(postgresText: text) else {
            throw PostgresError(.decoding, detail: "column \(column) does not hold a \(type)")
        }
        return value
    }

    /// The value of a JSON column; dates are ISO 8601.
    ///
    /// - Throws: `.decoding` as ``decode(_:as:)`` does; NULL is refused.
    package func decode<Value: Decodable>(
        json column: String, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard let value = try decodeIfPresent(json: column, as: type) else {
            throw PostgresError(.decoding, detail: "column \(column) is NULL, expected \(type)")
        }
        return value
    }

    /// The value of a JSON column, nil for NULL.
    package func decodeIfPresent<Value: Decodable>(
        json column: String, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value? {
        guard let text = try text(column) else { return nil }
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        do {
            return try decoder.decode(type, from: Data(text.utf8))
        } catch let error as DecodingError {
            throw PostgresError(.decoding, detail: "column \(column) does not hold a \(type): \(error.place)")
        } catch {
            throw PostgresError(.decoding, detail: "column \(column) does not hold a \(type)")
        }
    }

    /// The column's text, nil for NULL.
    private func text(_ column: String) throws(PostgresError) -> String? {
        guard let index = result.column(named: column) else {
            throw PostgresError(.decoding, detail: "there is no column \(column)")
        }
        return result.text(row: number, column: index)
    }
}

extension DecodingError {
    /// Where in the document the error lies, without any of its values.
    fileprivate var place: String {
        switch self {
        case .keyNotFound(let key, let context): "no \(key.stringValue) in \(context.path)"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            "at \(context.path)"
        @unknown default: "undecodable"
        }
    }
}

extension DecodingError.Context {
    fileprivate var path: String { "/" + codingPath.map(\.stringValue).joined(separator: "/") }
}
