import Synchronization

/// What was declared on a connection, for a broker that has lost its memory.
final class TopologyMemory: Sendable {
    private let declarations = Mutex<[AMQPDeclaration]>([])

    func add(_ new: [AMQPDeclaration]) {
        declarations.withLock { known in
            for declaration in new where !known.contains(declaration) { known.append(declaration) }
        }
    }

    var all: [AMQPDeclaration] { declarations.withLock { $0 } }
}
