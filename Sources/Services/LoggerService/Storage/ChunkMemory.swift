/// Remembers the identities of the newest batches, so that one sent twice is stored once.
struct ChunkMemory: Sendable {
    private let limit: Int
    private var known: Set<String> = []
    private var order: [String] = []
    private var oldest = 0

    init(limit: Int) {
        self.limit = limit
    }

    func contains(_ chunk: String) -> Bool { known.contains(chunk) }

    mutating func insert(_ chunk: String) {
        guard known.insert(chunk).inserted else { return }
        if order.count < limit {
            order.append(chunk)
        } else {
            known.remove(order[oldest])
            order[oldest] = chunk
            oldest = (oldest + 1) % limit
        }
    }

    /// All remembered identities, oldest first.
    var all: [String] { Array(order[oldest...] + order[..<oldest]) }
}
