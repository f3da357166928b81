/// Bytes on their way to the peer, written as its window allows.
struct OutgoingBytes {
    private var bytes: [UInt8] = []
    private var offset = 0

    var isEmpty: Bool { offset == bytes.count }

    mutating func append(_ more: some Sequence<UInt8>) {
        if isEmpty { clear() }
        bytes.append(contentsOf: more)
    }

    mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        offset = 0
    }

    /// Offers the unsent bytes to `write`, which answers how many it took or nil for a broken channel.
    mutating func send(limit: Int, _ write: (RawSpan) -> Int?) -> Int? {
        let end = offset + min(bytes.count - offset, max(0, limit))
        guard end > offset else { return 0 }
        guard let count = unsafe write(bytes.span.extracting(offset..<end).bytes) else { return nil }
        offset += count
        if isEmpty { clear() }
        return count
    }
}
