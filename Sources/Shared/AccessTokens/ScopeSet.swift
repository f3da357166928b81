/// A set of OAuth scopes, written as words with a space between them.
package struct ScopeSet: Sendable, Hashable, Codable, CustomStringConvertible, ExpressibleByArrayLiteral, Sequence {
    private var scopes: Set<String>

    /// A set of the given names.
    package init(_ scopes: some Sequence<String>) { self.scopes = Set(scopes) }

    package init(arrayLiteral elements: String...) { scopes = Set(elements) }

    /// The scopes of a `scope` parameter; nil when it holds characters RFC 6749 section 3.3 forbids.
    package init?(parameter: String) {
        let words = parameter.split(separator: " ")
        let isAllowed = words.allSatisfy { word in
            word.utf8.allSatisfy { $0 == 0x21 || (0x23...0x5B).contains($0) || (0x5D...0x7E).contains($0) }
        }
        guard isAllowed else { return nil }
        scopes = Set(words.map(String.init))
    }

    package init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        scopes = Set(text.split(separator: " ").map(String.init))
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// Whether no scope is in it.
    package var isEmpty: Bool { scopes.isEmpty }
    /// Whether `scope` is in it.
    package func contains(_ scope: String) -> Bool { scopes.contains(scope) }
    /// Whether every scope is also in `other`.
    package func isSubset(of other: ScopeSet) -> Bool { scopes.isSubset(of: other.scopes) }
    /// The scopes that are in both.
    package func intersection(_ other: ScopeSet) -> ScopeSet { ScopeSet(scopes.intersection(other.scopes)) }
    /// The scopes that are in either.
    package func union(_ other: ScopeSet) -> ScopeSet { ScopeSet(scopes.union(other.scopes)) }
    /// The scopes that are not in `other`.
    package func subtracting(_ other: ScopeSet) -> ScopeSet { ScopeSet(scopes.subtracting(other.scopes)) }

    /// The names in alphabetical order.
    package var names: [String] { scopes.sorted() }
    package func makeIterator() -> IndexingIterator<[String]> { names.makeIterator() }
    /// The names in alphabetical order with a space between them.
    package var description: String { names.joined(separator: " ") }
}
