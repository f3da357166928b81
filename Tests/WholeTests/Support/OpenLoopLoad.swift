import CurlTransfer
import Synchronization

/// Requests begun at a constant rate, whether earlier ones were answered or not.
final class OpenLoopLoad: Sendable {
    struct Outcome: Sendable {
        var answered = 0
        /// What came instead of a page, with how often.
        var failures: [String: Int] = [:]
    }

    private let outcome = Mutex(Outcome())

    /// Asks for a page until the body ends.
    ///
    /// - Parameters:
    ///   - rate: requests begun each second.
    ///   - isGood: whether a page's text is one of those expected.
    static func run(
        _ url: String, rate: Int, client: HTTPClient, isGood: @escaping @Sendable (String) -> Bool,
        during body: @Sendable () async throws -> Void
    ) async throws -> Outcome {
        let load = OpenLoopLoad()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await load.ask(url, rate: rate, client: client, isGood: isGood) }
            try await body()
            group.cancelAll()
        }
        return load.outcome.withLock { $0 }
    }

    private func ask(
        _ url: String, rate: Int, client: HTTPClient, isGood: @escaping @Sendable (String) -> Bool
    ) async {
        let clock = ContinuousClock()
        let interval = Duration.seconds(1) / rate
        var next = clock.now
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                // A request in flight when the load ends is answered all the same.
                group.addTask { await Task { await self.once(url, client, isGood) }.value }
                next += interval
                do { try await clock.sleep(until: next) } catch { break }
            }
        }
    }

    private func once(_ url: String, _ client: HTTPClient, _ isGood: @Sendable (String) -> Bool) async {
        let failure: String?
        do {
            let answer = try await client.send(TransferRequest(url: url, timeout: .seconds(30)))
            failure = answer.status == 200 && isGood(answer.text) ? nil : "\(answer.status) \(answer.text.prefix(80))"
        } catch {
            failure = "\(error)"
        }
        outcome.withLock { outcome in
            if let failure { outcome.failures[failure, default: 0] += 1 } else { outcome.answered += 1 }
        }
    }
}
