import OCIRegistry
import Synchronization

/// The digests that repositories began to refer to while a collection runs.
///
/// A collection looks through all repositories first and removes content afterwards. What was linked before it began it
/// sees; what is linked later is noted here, while the digest's turn is held, so that its removal, which takes the same
/// turn, knows.
final class LinkJournal: Sendable {
    private let digests = Mutex<Set<ImageDigest>?>(nil)

    /// Begins to remember.
    func begin() { digests.withLock { $0 = [] } }

    /// Forgets everything.
    func end() { digests.withLock { $0 = nil } }

    func note(_ digest: ImageDigest) {
        digests.withLock { digests in
            guard digests != nil else { return }
            digests?.insert(digest)
        }
    }

    func contains(_ digest: ImageDigest) -> Bool { digests.withLock { $0?.contains(digest) ?? false } }
}
