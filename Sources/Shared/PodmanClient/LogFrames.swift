/// Which of a process's two outputs bytes come from.
package enum OutputStream: UInt8, Sendable, Hashable {
    case standardOutput = 1
    case standardError = 2
}

/// Some output of a process.
package struct OutputChunk: Sendable, Hashable {
    package let stream: OutputStream
    package let bytes: [UInt8]

    package init(stream: OutputStream, bytes: [UInt8]) {
        self.stream = stream
        self.bytes = bytes
    }

    package var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Splits podman's multiplexed streams: frames of an eight-byte head (stream, three zeros, length) and content.
///
/// Content is passed on as it comes, so a frame's announced length never makes it wait or buffer.
struct LogFrames {
    private var head: [UInt8] = []
    private var remaining = 0
    private var stream = OutputStream.standardOutput

    /// Whether the input so far ends between two frames.
    var isBetweenFrames: Bool { head.isEmpty && remaining == 0 }

    mutating func consume(_ input: [UInt8]) throws(PodmanError) -> [OutputChunk] {
        var chunks: [OutputChunk] = []
        var rest = input[...]
        while !rest.isEmpty {
            if remaining > 0 {
                let part = rest.prefix(remaining)
                remaining -= part.count
                rest = rest.dropFirst(part.count)
                chunks.append(OutputChunk(stream: stream, bytes: Array(part)))
                continue
            }
            let needed = rest.prefix(8 - head.count)
            head += needed
            rest = rest.dropFirst(needed.count)
            if head.count == 8 { try readHead() }
        }
        return chunks
    }

    private mutating func readHead() throws(PodmanError) {
        guard head[0] <= 2, head[1] == 0, head[2] == 0, head[3] == 0 else {
            throw PodmanError(.invalidResponse, message: "The output is not in frames.")
        }
        stream = OutputStream(rawValue: head[0]) ?? .standardOutput
        remaining = head[4..<8].reduce(0) { $0 << 8 | Int($1) }
        head = []
    }
}
