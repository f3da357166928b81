package import FoundationEssentials
package import PlatformModel

/// A value that can be bound to a statement.
package protocol PostgresEncodable {
    /// The value in PostgreSQL's text format, which holds no zero byte; nil is NULL.
    var postgresText: String? { get }
}

extension String: PostgresEncodable {
    package var postgresText: String? { self }
}

extension Substring: PostgresEncodable {
    package var postgresText: String? { String(self) }
}

extension Int: PostgresEncodable {
    package var postgresText: String? { String(self) }
}

extension Int16: PostgresEncodable {
    package var postgresText: String? { String(self) }
}

extension Int32: PostgresEncodable {
    package var postgresText: String? { String(self) }
}

extension Int64: PostgresEncodable {
    package var postgresText: String? { String(self) }
}

extension UInt16: PostgresEncodable {
    package var postgresText: String? { String(self) }
}

extension Double: PostgresEncodable {
    package var postgresText: String? {
        isNaN ? "NaN" : isInfinite ? (self < 0 ? "-Infinity" : "Infinity") : description
    }
}

extension Bool: PostgresEncodable {
    package var postgresText: String? { self ? "t" : "f" }
}

extension UUID: PostgresEncodable {
    package var postgresText: String? { uuidString.lowercased() }
}

extension Date: PostgresEncodable {
    /// A timestamp with time zone, rounded to the microseconds PostgreSQL keeps.
    package var postgresText: String? { PostgresTimestamp.text(of: self) }
}

extension Data: PostgresEncodable {
    package var postgresText: String? { postgresByteaText(self) }
}

extension JSONValue: PostgresEncodable {
    package var postgresText: String? { postgresJSON(self) }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    package var postgresText: String? { self?.postgresText }
}

extension Array: PostgresEncodable where Element: PostgresEncodable {
    /// A one-dimensional array, or a `bytea` for an array of bytes.
    package var postgresText: String? {
        if Element.self == UInt8.self, let bytes = self as? [UInt8] { return postgresByteaText(bytes) }
        var text = "{"
        for (index, element) in enumerated() {
            if index > 0 { text += "," }
            guard let element = element.postgresText else {
                text += "NULL"
                continue
            }
            text += "\""
            for scalar in element.unicodeScalars {
                if scalar == "\"" || scalar == "\\" { text += "\\" }
                text.unicodeScalars.append(scalar)
            }
            text += "\""
        }
        return text + "}"
    }
}

extension UInt8: PostgresEncodable {
    package var postgresText: String? { String(self) }
}

extension PostgresEncodable where Self: RawRepresentable, RawValue: PostgresEncodable {
    package var postgresText: String? { rawValue.postgresText }
}

func postgresByteaText(_ bytes: some Collection<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = [UInt8(ascii: "\\"), UInt8(ascii: "x")]
    text.reserveCapacity(2 + bytes.count * 2)
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}

/// JSON text of a value; dates are ISO 8601.
///
/// An encoder that refuses its value is a mistake in the program: the document becomes invalid JSON, which the server
/// refuses with a data error, so nothing wrong is stored.
func postgresJSON(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.dateEncodingStrategy = .iso8601
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch {
        return "not encodable"
    }
}
