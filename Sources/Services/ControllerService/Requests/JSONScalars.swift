import PlatformModel

extension JSONValue {
    /// A scalar as the text the wire shows for it; nil for null, arrays and objects.
    var scalarText: String? {
        switch self {
        case .string(let text): text
        case .integer(let number): String(number)
        case .number(let number): String(number)
        case .bool(let flag): flag ? "true" : "false"
        case .null, .array, .object: nil
        }
    }

    /// An integer, also when it comes as text such as `"80"`.
    var looseInteger: Int? {
        switch self {
        case .integer(let number): number
        case .string(let text): Int(text)
        case .number(let number): Int(exactly: number)
        case .null, .bool, .array, .object: nil
        }
    }

    /// An array of strings; nil when any element is something else.
    var strings: [String]? {
        guard case .array(let elements) = self else { return nil }
        let texts = elements.compactMap(\.stringValue)
        return texts.count == elements.count ? texts : nil
    }

    /// An object whose values are all strings; nil when any is something else.
    var stringMap: [String: String]? {
        guard case .object(let members) = self else { return nil }
        let texts = members.compactMapValues(\.stringValue)
        return texts.count == members.count ? texts : nil
    }

    init(_ map: [String: String]) { self = .object(map.mapValues { .string($0) }) }

    init(_ map: [String: Int]) { self = .object(map.mapValues { .integer($0) }) }

    init(_ texts: [String]) { self = .array(texts.map { .string($0) }) }
}
