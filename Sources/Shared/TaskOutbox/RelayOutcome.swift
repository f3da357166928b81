import Synchronization

/// Whether some message of a batch was refused.
final class RelayOutcome: Sendable {
    private let failed = Atomic<Bool>(false)

    var hasFailed: Bool { failed.load(ordering: .relaxed) }

    func fail() { failed.store(true, ordering: .relaxed) }
}
