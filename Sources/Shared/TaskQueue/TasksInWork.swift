import AMQPClient
import FoundationEssentials
import Synchronization

/// The tasks this consumer has in work, each with the delivery that will settle it.
///
/// A broker that lost our connection hands a task out again while we still work on it. The new delivery takes the place
/// of the old one instead of starting the work a second time.
final class TasksInWork: Sendable {
    private let deliveries = Mutex<[UUID: AMQPDelivery]>([:])

    /// - Returns: whether the work has to be begun.
    func begin(_ id: UUID, _ delivery: AMQPDelivery) -> Bool {
        let former = deliveries.withLock { $0.updateValue(delivery, forKey: id) }
        // Nothing happens for a delivery of a lost channel; a second copy of the task on the same channel is done with.
        former?.ack()
        return former == nil
    }

    /// The delivery that settles the task now.
    func end(_ id: UUID) -> AMQPDelivery? {
        deliveries.withLock { $0.removeValue(forKey: id) }
    }
}
