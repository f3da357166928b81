package import NIOCore

/// Finds the end of one MessagePack value in bytes that arrive piece by piece, without looking at any byte twice.
///
/// Never recurses and allocates at most one counter per nesting level,
/// so hostile input costs no more than honest input.
package struct MessagePackScanner: Sendable {
    package static let depthLimit = 32

    private let limit: Int
    private var offset = 0
    /// How many values are still to come on each open level.
    private var open: [Int] = [1]

    /// - Parameter limit: The largest value accepted, in bytes.
    package init(limit: Int) {
        self.limit = limit
    }

    /// Goes on with the readable bytes of `buffer`, which always begins with the first byte of the value.
    /// - Returns: The length of the value, or nil when more bytes are needed.
    package mutating func advance(_ buffer: ByteBuffer) throws(MessagePackError) -> Int? {
        let readable = buffer.readableBytes
        while let remaining = open.last {
            if remaining == 0 {
                open.removeLast()
                continue
            }
            guard let head = try MessagePackHead(buffer, at: buffer.readerIndex + offset) else {
                guard readable <= limit else { throw .limitExceeded }
                return nil
            }
            let end = offset + head.size + head.payload
            guard end <= limit, head.children <= limit else { throw .limitExceeded }
            guard end <= readable else { return nil }
            offset = end
            open[open.count - 1] = remaining - 1
            guard head.children > 0 else { continue }
            guard open.count < Self.depthLimit else { throw .limitExceeded }
            open.append(head.children)
        }
        return offset
    }
}

/// The first bytes of a value: how long it is and how many values follow inside it.
struct MessagePackHead {
    enum Kind: Equatable {
        case null
        case boolean(Bool)
        case integer, float, string, binary, array, map, ext
    }

    let kind: Kind
    /// Bytes of the head itself.
    let size: Int
    /// Bytes that follow the head and belong to this value alone.
    let payload: Int
    /// Values that follow inside this one; a map has two per member.
    let children: Int

    private init(_ kind: Kind, size: Int, payload: Int = 0, children: Int = 0) {
        self.kind = kind
        self.size = size
        self.payload = payload
        self.children = children
    }

    /// Nil when the bytes end before the head does.
    init?(_ buffer: ByteBuffer, at index: Int) throws(MessagePackError) {
        guard let first = buffer.getInteger(at: index, as: UInt8.self) else { return nil }
        switch first {
        case 0x00...0x7F, 0xE0...0xFF: self.init(.integer, size: 1)
        case 0x80...0x8F: self.init(.map, size: 1, children: 2 * Int(first & 0x0F))
        case 0x90...0x9F: self.init(.array, size: 1, children: Int(first & 0x0F))
        case 0xA0...0xBF: self.init(.string, size: 1, payload: Int(first & 0x1F))
        case 0xC0: self.init(.null, size: 1)
        case 0xC2, 0xC3: self.init(.boolean(first == 0xC3), size: 1)
        case 0xC4...0xC6: try self.init(sized: .binary, width: 1 << Int(first - 0xC4), buffer, index)
        case 0xC7...0xC9: try self.init(sized: .ext, width: 1 << Int(first - 0xC7), buffer, index)
        case 0xCA, 0xCB: self.init(.float, size: 1, payload: 4 << Int(first - 0xCA))
        case 0xCC...0xCF: self.init(.integer, size: 1, payload: 1 << Int(first - 0xCC))
        case 0xD0...0xD3: self.init(.integer, size: 1, payload: 1 << Int(first - 0xD0))
        case 0xD4...0xD8: self.init(.ext, size: 2, payload: 1 << Int(first - 0xD4))
        case 0xD9...0xDB: try self.init(sized: .string, width: 1 << Int(first - 0xD9), buffer, index)
        case 0xDC, 0xDD: try self.init(sized: .array, width: 2 << Int(first - 0xDC), buffer, index)
        case 0xDE, 0xDF: try self.init(sized: .map, width: 2 << Int(first - 0xDE), buffer, index)
        default: throw .malformed
        }
    }

    private init?(sized kind: Kind, width: Int, _ buffer: ByteBuffer, _ index: Int) throws(MessagePackError) {
        let length: Int? =
            switch width {
            case 1: buffer.getInteger(at: index + 1, as: UInt8.self).map(Int.init)
            case 2: buffer.getInteger(at: index + 1, as: UInt16.self).map(Int.init)
            default: buffer.getInteger(at: index + 1, as: UInt32.self).map(Int.init)
            }
        guard let length else { return nil }
        switch kind {
        case .array: self.init(kind, size: 1 + width, children: length)
        case .map: self.init(kind, size: 1 + width, children: 2 * length)
        case .ext: self.init(kind, size: 2 + width, payload: length)
        default: self.init(kind, size: 1 + width, payload: length)
        }
    }
}
