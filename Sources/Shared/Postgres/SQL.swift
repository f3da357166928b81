/// One statement whose values travel beside its text as numbered binds.
///
/// Interpolation makes binds: `"SELECT id FROM apps WHERE name = \(name)"`. Binds carry no type; the server infers it
/// from the place they stand in, so a bind without such a place needs a cast in the text (`\(count)::int`).
/// Statements are prepared once per connection and found again by their text.
package struct SQL: Sendable, ExpressibleByStringInterpolation {
    /// The text around the binds; one more than there are binds.
    private(set) var fragments: [String]
    private(set) var binds: [String?]
    /// The statement as the server sees it.
    let text: String
    /// Whether the text may hold several statements; it is then sent without binds and not prepared.
    let isScript: Bool
    private(set) var limit: Duration?

    /// A statement from fixed text.
    package init(stringLiteral value: String) {
        self.init(fragments: [value], binds: [], isScript: false)
    }

    /// A statement with values.
    package init(stringInterpolation: Interpolation) {
        self.init(fragments: stringInterpolation.fragments, binds: stringInterpolation.binds, isScript: false)
    }

    /// A script of one or more statements, sent as it is.
    ///
    /// Only for text that is part of the program, such as migrations: nothing in it is escaped.
    package init(unsafe script: String) {
        self.init(fragments: [script], binds: [], isScript: true)
    }

    private init(fragments: [String], binds: [String?], isScript: Bool) {
        self.fragments = fragments
        self.binds = binds
        self.isScript = isScript
        var text = fragments[0]
        for (index, fragment) in fragments.dropFirst().enumerated() {
            text += "$\(index + 1)"
            text += fragment
        }
        self.text = text
    }

    /// The same statement with its own time limit instead of the pool's.
    package func limited(to limit: Duration) -> SQL {
        var copy = self
        copy.limit = limit
        return copy
    }

    /// Gathers the parts of an interpolated statement.
    package struct Interpolation: StringInterpolationProtocol, Sendable {
        private(set) var fragments: [String]
        private(set) var binds: [String?] = []

        package init(literalCapacity: Int, interpolationCount: Int) {
            fragments = [""]
            fragments.reserveCapacity(interpolationCount + 1)
            binds.reserveCapacity(interpolationCount)
        }

        package mutating func appendLiteral(_ literal: String) {
            fragments[fragments.count - 1] += literal
        }

        /// A value as a bind; nil is SQL's NULL.
        package mutating func appendInterpolation(_ value: some PostgresEncodable) {
            binds.append(value.postgresText)
            fragments.append("")
        }

        /// A value that may be absent, as a bind; the overload tells the compiler that an optional is meant.
        package mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
            binds.append(value?.postgresText)
            fragments.append("")
        }

        /// A value as a JSON document.
        package mutating func appendInterpolation<Value: Encodable>(json value: Value?) {
            binds.append(value.map(postgresJSON))
            fragments.append("")
        }

        /// A quoted name of a table, column, channel or schema.
        package mutating func appendInterpolation(identifier: String) {
            appendLiteral(quotedIdentifier(identifier))
        }

        /// Another statement's text and binds in this place.
        package mutating func appendInterpolation(sql: SQL) {
            fragments[fragments.count - 1] += sql.fragments[0]
            fragments.append(contentsOf: sql.fragments.dropFirst())
            binds.append(contentsOf: sql.binds)
        }
    }
}

/// SQL's quoting of names; a zero byte cannot be part of one and is left out.
func quotedIdentifier(_ name: String) -> String {
    var quoted = "\""
    for character in name.unicodeScalars where character != "\0" {
        if character == "\"" { quoted += "\"" }
        quoted.unicodeScalars.append(character)
    }
    return quoted + "\""
}
