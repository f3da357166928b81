import Synchronization

/// Tells readiness that the process has been asked to stop, so that no new traffic is sent to it.
package final class DrainSignal: Sendable {
    private let draining = Atomic<Bool>(false)

    package init() {}

    package var isDraining: Bool { draining.load(ordering: .relaxed) }

    package func beginDraining() { draining.store(true, ordering: .relaxed) }
}
