import CommandRunner
import ConcurrencyPrimitives
package import Logging
import Metrics
import ServiceLifecycle
package import ServiceRuntime

/// Keeps nginx running: starts or adopts it, waits for its end and starts it again with growing waits.
///
/// A graceful shutdown ends nginx too. A router that is killed leaves it running for the next router to adopt.
package struct EdgeProcess: Service {
    private let master: NginxMaster
    private let table: EdgeTable
    /// Held as long as this part lives: two routers on one directory would fight over nginx.
    private let lock: ProcessLock
    private let logger: Logger
    private let starts = Counter(label: "router.nginx.starts")

    package init(master: NginxMaster, table: EdgeTable, lock: ProcessLock, logger: Logger) {
        self.master = master
        self.lock = lock
        self.table = table
        self.logger = logger
    }

    package func run() async throws {
        // The first start must succeed: a configuration nginx refuses is for a person to repair.
        try await table.storeRecords()
        let first = try await master.ensureRunning()
        starts.increment()
        await cancelWhenGracefulShutdown {
            var process = first
            var waits = Backoff(initial: .milliseconds(50), limit: .seconds(5)).makeIterator()
            while !Task.isCancelled {
                let running = ContinuousClock.now
                guard await ended(process) else { return }
                logger.error("nginx ended and is started again", metadata: ["pid": "\(process.pid)"])
                if ContinuousClock.now - running > .seconds(30) {
                    waits = Backoff(initial: .milliseconds(50), limit: .seconds(5)).makeIterator()
                }
                guard let next = await restart(&waits) else { return }
                process = next
                starts.increment()
            }
        }
        try await stop()
    }

    /// Whether the process has ended; false when the waiting was cancelled.
    private func ended(_ process: ProcessIdentity) async -> Bool {
        do {
            try await process.waitForExit()
            return true
        } catch {
            return false
        }
    }

    private func restart(_ waits: inout Backoff.Iterator) async -> ProcessIdentity? {
        while let wait = waits.next() {
            do {
                try await table.storeRecords()
                let process = try await master.ensureRunning()
                try await table.reassert()
                return process
            } catch is CancellationError {
                return nil
            } catch {
                logger.error("nginx could not be started", metadata: ["error": "\(error)", "wait": "\(wait)"])
            }
            do {
                try await Task.sleep(for: wait)
            } catch {
                return nil
            }
        }
        return nil
    }

    /// Runs apart from this task, which is cancelled by now.
    private func stop() async throws {
        try await Task { [master] in try await master.stop(patience: .seconds(8)) }.value
    }
}
