/// Says in a few words which member of a JSON document could not be read.
struct DocumentProblem: CustomStringConvertible {
    let description: String

    init(_ error: any Error) {
        switch error {
        case DecodingError.keyNotFound(let key, let context):
            description = "\(Self.path(context.codingPath + [key])) is missing"
        case DecodingError.valueNotFound(_, let context):
            description = "\(Self.path(context.codingPath)) is null"
        case DecodingError.typeMismatch(_, let context):
            description = "\(Self.path(context.codingPath)) has the wrong type"
        case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
            description = "\(Self.path(context.codingPath)) has a wrong value"
        case let error as OCIError:
            description = error.reason
        default:
            description = "it is not JSON"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        keys.isEmpty
            ? "the document"
            : keys.map { key in key.intValue.map { "[\($0)]" } ?? key.stringValue }.joined(separator: ".")
    }
}
