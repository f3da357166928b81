import PlatformModel

/// What requests about processes must satisfy.
enum ProcessRule {
    /// More processes of one type than one machine can run are a typing mistake.
    static let largestCount = 1000

    /// Reads a scale request.
    ///
    /// - Throws: ``Refusal`` 400 for counts that are none, unknown types and `run`.
    static func scale(_ body: [String: JSONValue], structure: Structure) throws(Refusal) -> [String: Int] {
        var counts: [String: Int] = [:]
        for (ptype, value) in body.sorted(by: { $0.key < $1.key }) {
            guard ptype != "run" else { throw .invalid("Cannot set scale for reserved types, procfile type is: run") }
            guard let count = value.looseInteger, (0...largestCount).contains(count) else {
                throw .invalid("Invalid scaling format: \(ptype) needs a number from 0 to \(largestCount)")
            }
            guard structure.counts[ptype] != nil else {
                throw .invalid("process type \(ptype) is not included in procfile")
            }
            counts[ptype] = count
        }
        guard !counts.isEmpty else { throw .invalid("Invalid scaling format: no process types given") }
        return counts
    }

    /// Reads `ptypes` of a request: a comma-separated text; an empty one names none.
    static func ptypes(_ body: [String: JSONValue]) throws(Refusal) -> [String] {
        switch body["ptypes"] {
        case .string(let text)?: return ProcessTypeRule.split(text)
        case .null?, nil: return []
        default: throw .field("ptypes", "Not a valid string.")
        }
    }
}
