package import FoundationEssentials
package import PlatformModel

/// A value that can be read from a column.
package protocol PostgresDecodable {
    /// Reads PostgreSQL's text format; nil when the text is of another type.
    init?(postgresText text: String)

    /// What NULL becomes; nil refuses it.
    static var postgresNull: Self? { get }
}

extension PostgresDecodable {
    package static var postgresNull: Self? { nil }
}

extension String: PostgresDecodable {
    package init?(postgresText text: String) { self = text }
}

extension Int: PostgresDecodable {
    package init?(postgresText text: String) { self.init(text) }
}

extension Int16: PostgresDecodable {
    package init?(postgresText text: String) { self.init(text) }
}

extension Int32: PostgresDecodable {
    package init?(postgresText text: String) { self.init(text) }
}

extension Int64: PostgresDecodable {
    package init?(postgresText text: String) { self.init(text) }
}

extension UInt16: PostgresDecodable {
    package init?(postgresText text: String) { self.init(text) }
}

extension Double: PostgresDecodable {
    package init?(postgresText text: String) { self.init(text) }
}

extension Bool: PostgresDecodable {
    package init?(postgresText text: String) {
        switch text {
        case "t": self = true
        case "f": self = false
        default: return nil
        }
    }
}

extension UUID: PostgresDecodable {
    package init?(postgresText text: String) { self.init(uuidString: text) }
}

extension Date: PostgresDecodable {
    /// Reads `timestamptz`, `timestamp` (as UTC) and `date` (its first second in UTC).
    package init?(postgresText text: String) {
        guard let date = PostgresTimestamp.date(from: text) else { return nil }
        self = date
    }
}

extension Data: PostgresDecodable {
    package init?(postgresText text: String) {
        guard let bytes = postgresBytes(text) else { return nil }
        self.init(bytes)
    }
}

extension JSONValue: PostgresDecodable {
    package init?(postgresText text: String) {
        do {
            self = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        } catch {
            // Any other type's text; the row's error names the column.
            return nil
        }
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    package init?(postgresText text: String) {
        guard let value = Wrapped(postgresText: text) else { return nil }
        self = .some(value)
    }

    package static var postgresNull: Self? { .some(.none) }
}

extension UInt8: PostgresDecodable {
    package init?(postgresText text: String) { self.init(text) }
}

extension Array: PostgresDecodable where Element: PostgresDecodable {
    /// Reads a one-dimensional array, or a `bytea` as an array of bytes.
    package init?(postgresText text: String) {
        if Element.self == UInt8.self {
            guard let bytes = postgresBytes(text) as? [Element] else { return nil }
            self = bytes
            return
        }
        guard let elements = PostgresArrayText.elements(of: text) else { return nil }
        var values: [Element] = []
        for element in elements {
            guard let value = element.map({ Element(postgresText: $0) }) ?? Element.postgresNull else { return nil }
            values.append(value)
        }
        self = values
    }
}

extension PostgresDecodable where Self: RawRepresentable, RawValue: PostgresDecodable {
    package init?(postgresText text: String) {
        guard let raw = RawValue(postgresText: text) else { return nil }
        self.init(rawValue: raw)
    }
}

private func postgresBytes(_ text: String) -> [UInt8]? {
    guard text.hasPrefix("\\x"), text.utf8.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count / 2 - 1)
    var high: UInt8?
    for character in text.utf8.dropFirst(2) {
        let digit: UInt8
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
        default: return nil
        }
        if let first = high {
            bytes.append(first << 4 | digit)
            high = nil
        } else {
            high = digit
        }
    }
    return bytes
}

/// The text form of one-dimensional arrays: `{1,NULL,"a \"b\""}`.
private enum PostgresArrayText {
    /// The elements, nil for NULL; nil as a whole for text of another form.
    static func elements(of text: String) -> [String?]? {
        guard text.hasPrefix("{"), text.hasSuffix("}") else { return nil }
        var elements: [String?] = []
        var current = ""
        var isQuoted = false
        var wasQuoted = false
        var isEscaped = false
        let inner = text.unicodeScalars.dropFirst().dropLast()
        guard !inner.isEmpty else { return [] }
        func element() -> String? { !wasQuoted && current == "NULL" ? nil : current }
        for scalar in inner {
            if isEscaped {
                current.unicodeScalars.append(scalar)
                isEscaped = false
            } else if scalar == "\\" {
                isEscaped = true
            } else if scalar == "\"" {
                isQuoted.toggle()
                wasQuoted = true
            } else if scalar == ",", !isQuoted {
                elements.append(element())
                current = ""
                wasQuoted = false
            } else if scalar == "{", !isQuoted {
                return nil
            } else {
                current.unicodeScalars.append(scalar)
            }
        }
        guard !isQuoted, !isEscaped else { return nil }
        elements.append(element())
        return elements
    }
}
