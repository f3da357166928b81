/// Why a broker operation failed.
package struct AMQPError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// What callers branch on.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Kind: String, CaseIterable {
            case accessRefused, busy, channelClosed, closed, connectionLost, invalidURL, notFound, preconditionFailed
            case refused, timeout, unavailable, unroutable
        }

        private let kind: Kind

        private init(_ kind: Kind) {
            self.kind = kind
        }

        /// The user may not do this, or the password is wrong.
        package static let accessRefused = Code(.accessRefused)
        /// Too much is waiting already; try again later.
        package static let busy = Code(.busy)
        /// The broker closed the channel because of another operation on it.
        package static let channelClosed = Code(.channelClosed)
        /// The connection was closed by this program.
        package static let closed = Code(.closed)
        /// The connection broke; whether the broker did what was asked is unknown.
        package static let connectionLost = Code(.connectionLost)
        /// The URL is not a broker's.
        package static let invalidURL = Code(.invalidURL)
        /// There is no such queue or exchange.
        package static let notFound = Code(.notFound)
        /// A queue or exchange exists with other properties.
        package static let preconditionFailed = Code(.preconditionFailed)
        /// The broker did not take responsibility for the message.
        package static let refused = Code(.refused)
        /// No answer in time; whether the broker did what was asked is unknown.
        package static let timeout = Code(.timeout)
        /// No connection could be made in time.
        package static let unavailable = Code(.unavailable)
        /// No queue takes messages of that exchange and routing key.
        package static let unroutable = Code(.unroutable)

        /// Every code, for metrics.
        static var all: [Code] { Kind.allCases.map { Code($0) } }

        package var description: String { kind.rawValue }
    }

    package let code: Code
    let detail: String

    init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// Whether trying again may succeed. A publish that failed so may have been done, so its message may come twice.
    package var isRetryable: Bool {
        [.busy, .channelClosed, .connectionLost, .refused, .timeout, .unavailable].contains(code)
    }

    package var description: String { "The broker operation failed (\(code))." }

    package var debugDescription: String { "AMQPError(\(code): \(detail))" }

    /// The failure that a broker's reply code stands for.
    static func replied(_ replyCode: Int, _ text: String) -> AMQPError {
        let code: Code =
            switch replyCode {
            case 312: .unroutable
            case 403, 405, 530: .accessRefused
            case 404: .notFound
            case 406: .preconditionFailed
            case 320: .connectionLost
            default: .channelClosed
            }
        return AMQPError(code, "\(replyCode) \(text)")
    }
}
