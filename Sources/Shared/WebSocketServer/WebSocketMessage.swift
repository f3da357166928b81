package import NIOCore

/// One whole message of a websocket: fragments are already joined and text is valid UTF-8.
package enum WebSocketMessage: Sendable, Equatable {
    case text(String)
    case binary(ByteBuffer)
}

/// Why a websocket ends, as the number both sides put into a close frame.
package struct WebSocketCloseCode: Sendable, Equatable, CustomStringConvertible {
    package static let normal = Self(unchecked: 1000)
    package static let goingAway = Self(unchecked: 1001)
    package static let protocolError = Self(unchecked: 1002)
    package static let unsupportedData = Self(unchecked: 1003)
    package static let invalidPayload = Self(unchecked: 1007)
    package static let policyViolation = Self(unchecked: 1008)
    package static let messageTooLarge = Self(unchecked: 1009)
    package static let internalError = Self(unchecked: 1011)

    package let number: UInt16

    private init(unchecked number: UInt16) {
        self.number = number
    }

    /// Takes a number that may appear on the wire; nil for the reserved ones (1004, 1005, 1006, 1015 …).
    package init?(number: UInt16) {
        switch number {
        case 1000...1003, 1007...1014, 3000...4999: self.number = number
        default: return nil
        }
    }

    package var description: String { "\(number)" }
}

/// Why a frame could not be sent.
package enum WebSocketError: Error, Equatable {
    /// The connection is closed or closing; whoever sends should stop.
    case closed
}
