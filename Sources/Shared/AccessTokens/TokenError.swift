/// Why a token is not accepted.
///
/// Holds no part of the token, so it may be logged.
package struct TokenError: Error, Equatable, CustomStringConvertible {
    /// The reasons a caller may branch on; stable text, fit for a metric label.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String {
            case malformed
            case wrongType = "wrong_type"
            case unknownKey = "unknown_key"
            case badSignature = "bad_signature"
            case wrongIssuer = "wrong_issuer"
            case wrongAudience = "wrong_audience"
            case expired
            case notYetValid = "not_yet_valid"
            case keysUnavailable = "keys_unavailable"
            case refused
        }

        private let value: Value

        private init(_ value: Value) { self.value = value }

        package var description: String { value.rawValue }

        /// Not a signed token, or a member is missing.
        package static let malformed = Self(.malformed)
        /// A token for another purpose, such as an ID token.
        package static let wrongType = Self(.wrongType)
        /// Signed with a key the issuer does not publish.
        package static let unknownKey = Self(.unknownKey)
        /// The signature does not belong to the content.
        package static let badSignature = Self(.badSignature)
        /// Made by someone else.
        package static let wrongIssuer = Self(.wrongIssuer)
        /// Made for someone else.
        package static let wrongAudience = Self(.wrongAudience)
        /// Its time is over.
        package static let expired = Self(.expired)
        /// Its time has not begun: a clock is wrong.
        package static let notYetValid = Self(.notYetValid)
        /// The issuer's keys cannot be fetched and none are known: nothing can be said about the token.
        package static let keysUnavailable = Self(.keysUnavailable)
        /// The token endpoint refused to give a token.
        package static let refused = Self(.refused)
    }

    /// The reason.
    package let code: Code
    /// One sentence for a log.
    package let detail: String

    /// An error with its sentence.
    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { "\(code): \(detail)" }

    package static func == (left: Self, right: Self) -> Bool { left.code == right.code }
}
