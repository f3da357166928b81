import NIOCore
import NIOWebSocket

/// Joins the fragments of messages and checks what the standard demands of them.
struct WebSocketMessageAssembler {
    /// A rule the peer broke, with the close code that tells it.
    struct Violation: Error, Equatable {
        let code: WebSocketCloseCode
        let reason: String
    }

    private let limit: Int
    private var opcode: WebSocketOpcode?
    private var parts = ByteBuffer()

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes a data frame; returns the message it completes, if any.
    mutating func add(_ frame: WebSocketFrame) throws(Violation) -> WebSocketMessage? {
        var data = frame.unmaskedData
        if frame.opcode == .continuation {
            guard opcode != nil else { throw Violation(code: .protocolError, reason: "continuation of nothing") }
        } else {
            guard opcode == nil else { throw Violation(code: .protocolError, reason: "message inside a message") }
            if frame.fin { return try message(frame.opcode, data) }
            opcode = frame.opcode
        }
        guard parts.readableBytes + data.readableBytes <= limit else {
            throw Violation(code: .messageTooLarge, reason: "message too large")
        }
        parts.writeBuffer(&data)
        guard frame.fin, let first = opcode else { return nil }
        defer {
            opcode = nil
            parts = ByteBuffer()
        }
        return try message(first, parts)
    }

    private func message(_ opcode: WebSocketOpcode, _ data: ByteBuffer) throws(Violation) -> WebSocketMessage {
        guard data.readableBytes <= limit else {
            throw Violation(code: .messageTooLarge, reason: "message too large")
        }
        guard opcode == .text else { return .binary(data) }
        guard let text = String(validating: data.readableBytesView, as: UTF8.self) else {
            throw Violation(code: .invalidPayload, reason: "text is not UTF-8")
        }
        return .text(text)
    }

    /// Reads the code of a close frame; a frame without content has none.
    static func closeCode(in data: ByteBuffer) -> Result<WebSocketCloseCode?, Violation> {
        var data = data
        guard data.readableBytes > 0 else { return .success(nil) }
        guard let number = data.readInteger(as: UInt16.self), let code = WebSocketCloseCode(number: number) else {
            return .failure(Violation(code: .protocolError, reason: "invalid close code"))
        }
        guard String(validating: data.readableBytesView, as: UTF8.self) != nil else {
            return .failure(Violation(code: .invalidPayload, reason: "close reason is not UTF-8"))
        }
        return .success(code)
    }
}
