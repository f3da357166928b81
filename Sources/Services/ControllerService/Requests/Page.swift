import Hummingbird
import PlatformModel

/// Which part of a list a request asks for.
struct PageRequest: Sendable, Equatable {
    static let defaultLimit = 100
    /// More than any list holds in practice; keeps one answer bounded.
    static let largestLimit = 10_000

    let limit: Int
    let offset: Int

    /// Anything that is not a positive number falls back to 100, because the command line sends 0 and -1.
    init(limit: String?, offset: String?) {
        let wanted = limit.flatMap { Int($0) } ?? 0
        self.limit = wanted > 0 ? min(wanted, Self.largestLimit) : Self.defaultLimit
        self.offset = max(offset.flatMap { Int($0) } ?? 0, 0)
    }
}

/// A part of a list with the number of all.
struct Page<Item: Sendable>: Sendable {
    let items: [Item]
    let total: Int

    init(items: [Item], total: Int) {
        self.items = items
        self.total = total
    }

    /// `{"count", "next", "previous", "results"}`; the links are absolute, below `base`, which has the list's path.
    func wire(_ request: PageRequest, base: String, query: [(String, String)] = [], item: (Item) -> JSONValue)
        -> JSONValue
    {
        let next = request.offset + items.count < total && !items.isEmpty ? request.offset + request.limit : nil
        let previous = request.offset > 0 ? max(request.offset - request.limit, 0) : nil
        func link(_ offset: Int) -> JSONValue {
            let pairs = query + [("limit", "\(request.limit)")] + (offset > 0 ? [("offset", "\(offset)")] : [])
            let text = pairs.map { "\($0.0)=\(PercentCoding.encode($0.1))" }.joined(separator: "&")
            return .string("\(base)?\(text)")
        }
        return [
            "count": .integer(total), "next": next.map(link) ?? .null, "previous": previous.map(link) ?? .null,
            "results": .array(items.map(item)),
        ]
    }
}
