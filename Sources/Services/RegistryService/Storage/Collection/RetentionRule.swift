import FoundationEssentials
import OCIRegistry

/// How long the repositories of a pattern keep what nobody deletes, and how much they may hold.
struct RetentionRule: Decodable, Hashable, Sendable {
    /// The repositories: a name in which `*` stands for any characters.
    let repositories: String
    /// How many of the newest tags stay; all of them when absent. Protected tags do not count.
    let keepTags: Int?
    /// Tags that always stay, as patterns.
    let protectedTags: [String]
    /// Seconds after which a manifest without a tag goes; never when absent.
    let untaggedAfter: Int?
    /// The most bytes a repository holds.
    let budget: Int?

    /// Keeps everything.
    static let none = RetentionRule(repositories: "*")

    init(
        repositories: String, keepTags: Int? = nil, protectedTags: [String] = [], untaggedAfter: Int? = nil,
        budget: Int? = nil
    ) {
        self.repositories = repositories
        self.keepTags = keepTags
        self.protectedTags = protectedTags
        self.untaggedAfter = untaggedAfter
        self.budget = budget
    }

    private enum CodingKeys: String, CodingKey, CaseIterable {
        case repositories
        case keepTags = "keep_tags"
        case protectedTags = "protected_tags"
        case untaggedAfter = "untagged_after"
        case budget
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    /// Reads a rule; a member that is none of a rule's is refused, because a misspelt one would keep or remove what it
    /// should not.
    init(from decoder: any Decoder) throws {
        let known = Set(CodingKeys.allCases.map(\.rawValue))
        for key in try decoder.container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
            throw RuleProblem(text: "has the unknown member \(key.stringValue)")
        }
        let values = try decoder.container(keyedBy: CodingKeys.self)
        repositories = try values.decode(String.self, forKey: .repositories)
        keepTags = try values.decodeIfPresent(Int.self, forKey: .keepTags)
        protectedTags = try values.decodeIfPresent([String].self, forKey: .protectedTags) ?? []
        untaggedAfter = try values.decodeIfPresent(Int.self, forKey: .untaggedAfter)
        budget = try values.decodeIfPresent(Int.self, forKey: .budget)
        guard [keepTags, untaggedAfter, budget].allSatisfy({ ($0 ?? 0) >= 0 }) else {
            throw RuleProblem(text: "has a negative number")
        }
    }

    func isProtected(_ tag: ImageTag) -> Bool {
        protectedTags.contains { Pattern($0).matches("\(tag)") }
    }

    func applies(to name: RepositoryName) -> Bool { Pattern(repositories).matches("\(name)") }
}

/// What is wrong with a file of rules.
struct RuleProblem: Error, CustomStringConvertible {
    let text: String
    var description: String { text }
}

/// A text in which `*` stands for any characters.
struct Pattern: Hashable, Sendable {
    private let pieces: [Substring]

    init(_ text: String) { pieces = text.split(separator: "*", omittingEmptySubsequences: false) }

    func matches(_ text: String) -> Bool {
        guard let first = pieces.first, let last = pieces.last, pieces.count > 1 else { return text == pieces.joined() }
        guard text.hasPrefix(first) else { return false }
        var rest = text.dropFirst(first.count)
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            guard let found = rest.firstRange(of: piece) else { return false }
            rest = rest[found.upperBound...]
        }
        return rest.hasSuffix(last)
    }
}

/// Everything a collection goes by.
struct CollectionRules: Sendable {
    /// How long something that nothing needs stays after it was pushed, looked for or let go.
    var grace: Duration = .seconds(3600)
    /// How long an upload that nobody continues stays.
    var uploadExpiry: Duration = .seconds(86400)
    /// The first that applies to a repository counts.
    var rules: [RetentionRule] = []
    /// The most bytes the registry holds.
    var budget: Int?

    func rule(for name: RepositoryName) -> RetentionRule {
        rules.first { $0.applies(to: name) } ?? .none
    }

    /// Reads rules from a JSON array.
    static func rules(_ json: [UInt8]) throws(RuleProblem) -> [RetentionRule] {
        do {
            return try JSONDecoder().decode([RetentionRule].self, from: Data(json))
        } catch let problem as RuleProblem {
            throw problem
        } catch {
            throw RuleProblem(text: "is not a JSON array of rules with a pattern of repositories each")
        }
    }
}

extension Duration {
    /// The whole and broken seconds.
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
