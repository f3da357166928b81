import OCIRegistry

/// What a verification of everything stored found.
struct VerificationReport: Hashable, Sendable {
    /// Pieces of content read.
    var checked = 0
    /// Bytes read.
    var bytes = 0
    /// Content whose bytes do not have the digest it is stored under.
    var damaged: [ImageDigest] = []
    /// What a repository needs and cannot have, one line each.
    var broken: [String] = []

    var isGood: Bool { damaged.isEmpty && broken.isEmpty }
}
