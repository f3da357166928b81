/// Where a verifier finds an issuer's keys.
package protocol VerificationKeySource: Sendable {
    /// The issuer's keys, looked up anew if `keyID` is not among the known ones and it is time to look again.
    ///
    /// A result without that key means that the issuer does not publish it.
    /// - Throws: ``TokenError`` with `.keysUnavailable` when no keys are known and none can be had.
    func keys(including keyID: String?) async throws(TokenError) -> VerificationKeys
}

/// Keys that never change, for keys read from a file and for tests.
package struct FixedKeySource: VerificationKeySource {
    private let keys: VerificationKeys

    /// A source of exactly these keys.
    package init(_ keys: VerificationKeys) { self.keys = keys }

    package func keys(including keyID: String?) -> VerificationKeys { keys }
}
