import ConcurrencyPrimitives
import HTTPTypes
import ObjectStorage

/// The threads on which the registry touches the disk.
struct StorageThreads: Sendable {
    private let threads: BlockingThreads

    init(count: Int) {
        threads = BlockingThreads(label: "registry-storage", count: count, queueLimit: 8192)
    }

    /// Runs a blocking operation; a full disk and an overfull queue become errors the client can act on.
    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        do {
            return try await threads.run(body)
        } catch let failure as FileFailure {
            throw Self.translated(failure)
        } catch is BlockingThreads.Busy {
            throw RegistryError(
                .tooManyRequests, "The registry's storage is overloaded; try again.", headers: [.retryAfter: "1"])
        }
    }

    /// Runs an operation that does not block where it is, with the same errors.
    func runHere<Value>(_ body: () throws -> Value) throws -> Value {
        do {
            return try body()
        } catch let failure as FileFailure {
            throw Self.translated(failure)
        }
    }

    private static func translated(_ failure: FileFailure) -> any Error {
        RegistryError(failure) ?? failure
    }
}
