/// Something the operator has to know: what happened, and the command to go on with.
struct OperatorError: Error, Equatable, CustomStringConvertible {
    let description: String
    /// What to run or change next.
    let next: String?
    /// The last lines of the log that tells more.
    let evidence: [String]

    init(_ description: String, next: String? = nil, evidence: [String] = []) {
        self.description = description
        self.next = next
        self.evidence = evidence
    }

    /// The whole message, one part a line.
    var lines: [String] {
        [description] + evidence.map { "  | \($0)" } + (next.map { ["next: \($0)"] } ?? [])
    }
}
