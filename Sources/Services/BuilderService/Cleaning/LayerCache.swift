import CommandRunner
import FoundationEssentials
import Logging
import Metrics
import ServiceHTTP

/// Lets the imagebuilder prune the layers former builds left, and counts what it did.
///
/// The imagebuilder knows which builds run and leaves what they use; this only says when.
struct LayerCache: Sendable {
    let program: String
    /// The variables the imagebuilder inherits.
    let environment: [String: String]
    let workDirectory: String
    let logger: Logger
    private let bytes = Gauge(label: "builder.cache.bytes")
    private let freed = Counter(label: "builder.cache.freed.bytes")
    private let removed = Counter(label: "builder.cache.images.removed")
    private let pruned = Counter(label: "builder.cache.prunes", dimensions: [("outcome", "done")])
    private let busy = Counter(label: "builder.cache.prunes", dimensions: [("outcome", "busy")])
    private let failed = Counter(label: "builder.cache.prunes", dimensions: [("outcome", "failed")])

    init(program: String, environment: [String: String], workDirectory: String, logger: Logger) {
        self.program = program
        self.environment = environment
        self.workDirectory = workDirectory
        self.logger = logger
    }

    private struct Outcome: Decodable {
        let busy: Bool
        let removed: Int
        let freed: Int
        let cacheBytes: Int

        enum CodingKeys: String, CodingKey {
            case busy, removed, freed
            case cacheBytes = "cache_bytes"
        }
    }

    /// Never throws but for cancellation: what failed is tried again at the next turn.
    func prune() async throws {
        let command = Command(
            program, ["prune"], environment: environment, workingDirectory: workDirectory, deadline: .seconds(900),
            grace: .seconds(10))
        do {
            let result = try await CommandRunner.check(command)
            let outcome = try JSONCoding.decoder.decode(Outcome.self, from: Data(result.standardOutput))
            bytes.record(outcome.cacheBytes)
            (outcome.busy ? busy : pruned).increment()
            guard outcome.removed > 0 else { return }
            freed.increment(by: outcome.freed)
            removed.increment(by: outcome.removed)
            logger.info(
                "Layer cache pruned", metadata: ["images": "\(outcome.removed)", "freed.bytes": "\(outcome.freed)"])
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            failed.increment()
            logger.warning("Layer cache not pruned", metadata: ["error": "\(error)"])
        }
    }
}
