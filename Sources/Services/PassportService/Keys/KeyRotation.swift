import FoundationEssentials

/// When new keys begin to sign and old ones cease to be published.
struct KeyRotation: Sendable {
    /// Every replica reads the keys within this time.
    private static let spread: TimeInterval = 60

    let time: Date
    let signsFrom: Date
    let publishedUntil: Date

    /// - Parameter isImmediate: sign with the new keys as soon as the replicas know them, for a key that has leaked;
    ///   verifiers that keep a copy of the keys look again when they meet an unknown one.
    init(lifetimes: Lifetimes, isImmediate: Bool, at time: Date) {
        self.time = time
        signsFrom = isImmediate ? time : time.addingTimeInterval(Double(DiscoveryRoutes.keepSeconds) + Self.spread)
        let longest = max(lifetimes.accessToken, lifetimes.idToken)
        publishedUntil = signsFrom.addingTimeInterval(Double(longest.components.seconds) + Self.spread)
    }
}
