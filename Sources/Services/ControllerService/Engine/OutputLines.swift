import PodmanClient

/// Cuts the two outputs of a process into lines.
struct OutputLines: Sendable {
    /// A line without end is cut here.
    private static let longest = 64 * 1024

    private var partial: [OutputStream: [UInt8]] = [:]

    mutating func consume(_ chunk: OutputChunk) -> [String] {
        var pending = partial[chunk.stream, default: []]
        var lines: [String] = []
        for byte in chunk.bytes {
            if byte == 0x0A || pending.count == Self.longest {
                lines.append(Self.text(pending))
                pending = []
            }
            if byte != 0x0A { pending.append(byte) }
        }
        partial[chunk.stream] = pending
        return lines
    }

    /// The unfinished lines, once there is no more.
    mutating func finish() -> [String] {
        defer { partial = [:] }
        return [OutputStream.standardOutput, .standardError].compactMap { stream in
            guard let rest = partial[stream], !rest.isEmpty else { return nil }
            return Self.text(rest)
        }
    }

    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.last == 0x0D ? bytes.dropLast() : bytes[...], as: UTF8.self)
    }
}
