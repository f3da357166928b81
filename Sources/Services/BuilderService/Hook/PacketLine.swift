/// git's pkt-line framing: four hex digits of length, then the payload; `0000` ends a section.
enum PacketLine {
    static let flush = "0000"

    static func text(_ payload: String) -> String { header(payload.utf8.count) + payload }

    static func bytes(_ payload: [UInt8]) -> [UInt8] { Array(header(payload.count).utf8) + payload }

    private static func header(_ count: Int) -> String {
        let digits = String(count + 4, radix: 16)
        return String(repeating: "0", count: 4 - digits.count) + digits
    }

    /// The length of a packet's payload from its four digits; nil for a flush.
    static func payloadLength(_ digits: [UInt8]) throws(Malformed) -> Int? {
        guard let length = Int(String(decoding: digits, as: UTF8.self), radix: 16), length == 0 || length >= 4 else {
            throw Malformed()
        }
        return length == 0 ? nil : length - 4
    }

    struct Malformed: Error {}
}
