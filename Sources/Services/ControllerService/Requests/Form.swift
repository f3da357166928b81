import PlatformModel

/// The members of a JSON request body, read one by one with the sentences the API promises for what is wrong.
///
/// Problems are collected, so that one answer names all of them: read every member, then call ``validated()``.
struct Form {
    let members: [String: JSONValue]
    private(set) var problems: [String: [String]] = [:]

    init(_ members: [String: JSONValue]) { self.members = members }

    /// A member left out and one set to null count as not given.
    func has(_ name: String) -> Bool { members[name].map { !$0.isNull } ?? false }

    mutating func refuse(_ name: String, _ text: String) { problems[name, default: []].append(text) }

    /// Required text; an empty answer means that a problem was recorded.
    mutating func text(_ name: String, limit: Int? = nil, blankAllowed: Bool = false) -> String {
        guard let value = members[name] else {
            refuse(name, "This field is required.")
            return ""
        }
        return checked(value, name, limit: limit, blankAllowed: blankAllowed) ?? ""
    }

    /// Optional text; null counts as not given.
    mutating func optionalText(_ name: String, limit: Int? = nil, blankAllowed: Bool = true) -> String? {
        guard let value = members[name], !value.isNull else { return nil }
        return checked(value, name, limit: limit, blankAllowed: blankAllowed)
    }

    private mutating func checked(_ value: JSONValue, _ name: String, limit: Int?, blankAllowed: Bool) -> String? {
        switch value {
        case .null: refuse(name, "This field may not be null.")
        case .bool, .array, .object: refuse(name, "Not a valid string.")
        case .string, .integer, .number:
            let text = value.scalarText ?? ""
            if text.isEmpty, !blankAllowed {
                refuse(name, "This field may not be blank.")
            } else if text.utf8.contains(0) {
                refuse(name, "Null characters are not allowed.")
            } else if let limit, text.unicodeScalars.count > limit {
                refuse(name, "Ensure this field has no more than \(limit) characters.")
            } else {
                return text
            }
        }
        return nil
    }

    mutating func optionalInteger(_ name: String) -> Int? {
        guard let value = members[name], !value.isNull else { return nil }
        guard let number = value.looseInteger else {
            refuse(name, "A valid integer is required.")
            return nil
        }
        return number
    }

    mutating func optionalFlag(_ name: String) -> Bool? {
        guard let value = members[name], !value.isNull else { return nil }
        switch value {
        case .bool(let flag): return flag
        case .string("true"), .string("True"), .string("1"), .integer(1): return true
        case .string("false"), .string("False"), .string("0"), .integer(0): return false
        default:
            refuse(name, "Must be a valid boolean.")
            return nil
        }
    }

    /// An optional object; null counts as not given.
    mutating func optionalObject(_ name: String) -> [String: JSONValue]? {
        guard let value = members[name], !value.isNull else { return nil }
        guard case .object(let object) = value else {
            refuse(name, "Value must be valid JSON.")
            return nil
        }
        return object
    }

    /// - Throws: ``Refusal`` 400 with every problem found so far.
    func validated() throws(Refusal) {
        guard problems.isEmpty else { throw .fields(problems) }
    }
}
