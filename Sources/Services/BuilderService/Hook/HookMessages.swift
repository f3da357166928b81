/// What git's hook and the builder say to each other over the unix socket, one JSON object a line.
struct HookRequest: Codable, Sendable, Equatable {
    struct RefChange: Codable, Sendable, Equatable {
        let old: String
        let new: String
        let ref: String
    }

    let ticket: String
    let changes: [RefChange]
    let options: [String]
    /// git keeps new shallow roots in a draft, which only git can make final.
    let isShallow: Bool
}

/// A line for the pusher, or the end.
struct HookReply: Codable, Sendable, Equatable {
    struct Verdict: Codable, Sendable, Equatable {
        let ref: String
        /// Why the ref is refused; nil when it is taken.
        let refusal: String?
        /// git updates the ref itself.
        let fallsThrough: Bool
    }

    var text: String?
    var verdicts: [Verdict]?
}
