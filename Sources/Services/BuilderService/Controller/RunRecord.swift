import CommandRunner
import ConcurrencyPrimitives
import CurlTransfer
import FoundationEssentials
import Logging
import ServiceHTTP

/// Reads the record of a build run to its end, over restarts of the controller; nothing comes twice.
struct RunRecord: Sendable {
    /// How long the controller may be away.
    private static let patience: Duration = .seconds(300)

    let controller: ControllerClient
    let run: String
    let logger: Logger
    var clock: any Clock<Duration> = ContinuousClock()

    /// Hands over each event in order, heartbeats included, and returns the last one.
    ///
    /// - Throws: ``RunGone``; a `TransferError` when the controller has been away too long; `CancellationError`.
    func follow(_ onEvent: @Sendable (RunEvent) async throws -> Void) async throws -> RunEvent {
        var next = 0
        var backoff = Backoff(initial: .milliseconds(100), limit: .seconds(5)).makeIterator()
        var lastSuccess = ContinuousClock.now
        while true {
            do {
                let response = try await controller.events(of: run, from: next)
                lastSuccess = .now
                backoff = Backoff(initial: .milliseconds(100), limit: .seconds(5)).makeIterator()
                if let end = try await read(response.body, next: &next, onEvent) { return end }
            } catch let error as TransferError {
                guard ContinuousClock.now - lastSuccess < Self.patience else { throw error }
                logger.debug("Record of a build run interrupted", metadata: ["error": "\(error)"])
            }
            try await clock.sleep(for: backoff.next() ?? .seconds(5))
        }
    }

    private func read(
        _ chunks: TransferChunks, next: inout Int, _ onEvent: @Sendable (RunEvent) async throws -> Void
    ) async throws -> RunEvent? {
        var splitter = LineSplitter(limit: 1 << 20)
        for try await chunk in chunks {
            for line in splitter.add(chunk) where !line.isEmpty {
                guard let event = decode(line) else { continue }
                if let seq = event.seq {
                    guard seq >= next else { continue }
                    next = seq + 1
                }
                try await onEvent(event)
                if event.kind == .end { return event }
            }
        }
        return nil
    }

    /// Kinds of events this builder does not know are left out.
    private func decode(_ line: String) -> RunEvent? {
        do {
            return try JSONCoding.decoder.decode(RunEvent.self, from: Data(line.utf8))
        } catch {
            logger.warning("Unreadable event of a build run", metadata: ["error": "\(error)"])
            return nil
        }
    }
}
