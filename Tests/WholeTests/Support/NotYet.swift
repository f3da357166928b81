/// What a wait saw instead of what it waits for; shown when it gives up.
struct NotYet: Error, CustomStringConvertible {
    let description: String

    init(_ seen: String) { description = "saw: \(seen)" }
}
