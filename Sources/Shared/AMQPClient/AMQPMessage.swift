package import FoundationEssentials

/// A value of a header or of a queue's arguments.
package enum AMQPValue: Sendable, Hashable {
    case string(String)
    case integer(Int)
    case boolean(Bool)
    case double(Double)
    case timestamp(Date)
    case array([AMQPValue])
    case table([String: AMQPValue])
    case bytes([UInt8])
    case void

    package var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    package var integerValue: Int? {
        if case .integer(let value) = self { value } else { nil }
    }
}

extension AMQPValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .boolean(value) }
}

/// What travels beside a message's body.
package struct AMQPProperties: Sendable, Hashable {
    package var contentType: String?
    package var messageID: String?
    package var correlationID: String?
    package var timestamp: Date?
    /// How long the message may stay in a queue, in milliseconds.
    package var expiration: Int?
    /// Whether the message survives a restart of the broker.
    package var isPersistent: Bool
    package var headers: [String: AMQPValue]

    package init(
        contentType: String? = nil, messageID: String? = nil, correlationID: String? = nil, timestamp: Date? = nil,
        expiration: Int? = nil, isPersistent: Bool = true, headers: [String: AMQPValue] = [:]
    ) {
        self.contentType = contentType
        self.messageID = messageID
        self.correlationID = correlationID
        self.timestamp = timestamp
        self.expiration = expiration
        self.isPersistent = isPersistent
        self.headers = headers
    }
}

/// A message as it came from the broker.
package struct AMQPMessage: Sendable, Hashable {
    package let body: [UInt8]
    package let properties: AMQPProperties
    /// The exchange it was published to; empty for the default exchange.
    package let exchange: String
    package let routingKey: String
    /// Whether the broker has handed it out before.
    package let isRedelivered: Bool
}

/// A queue, exchange or binding that has to exist.
package enum AMQPDeclaration: Sendable, Hashable {
    /// A durable exchange; `kind` is `direct`, `fanout`, `topic` or `headers`.
    case exchange(String, kind: String)
    /// A queue with its arguments, such as `x-queue-type`.
    case queue(String, arguments: [String: AMQPValue] = [:], isDurable: Bool = true)
    case binding(queue: String, exchange: String, routingKey: String)

    /// A replicated durable queue, the kind to use for work that must not be lost.
    package static func quorumQueue(_ name: String, arguments: [String: AMQPValue] = [:]) -> AMQPDeclaration {
        .queue(name, arguments: arguments.merging(["x-queue-type": "quorum"]) { given, _ in given })
    }
}

/// A queue at one moment.
package struct AMQPQueueStatus: Sendable, Hashable {
    /// Messages ready to be delivered; those handed out and not yet settled are not counted.
    package let messages: Int
    package let consumers: Int
}
