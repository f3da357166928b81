import Glibc
package import Logging
import ServiceLifecycle

/// Keeps nginx's logs within a size: moves a full file aside and has nginx open a new one.
package struct LogRotation: Service {
    private let files: [String]
    private let master: NginxMaster
    private let limit: Int64
    private let interval: Duration
    private let logger: Logger

    package init(
        files: [String], master: NginxMaster, logger: Logger, limit: Int64 = 64 << 20, interval: Duration = .seconds(30)
    ) {
        self.files = files
        self.master = master
        self.limit = limit
        self.interval = interval
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await rotate()
                do { try await Task.sleep(for: interval) } catch { return }
            }
        }
    }

    /// Moves every file past the limit aside; the one moved before it is given up.
    package func rotate() async {
        let full = files.filter { size(of: $0) > limit }
        for file in full where rename(file, "\(file).1") != 0 {
            logger.warning(
                "A log could not be moved aside",
                metadata: ["file": "\(file)", "error": "\(String(cString: strerror(errno)))"])
        }
        if !full.isEmpty { await master.reopenLogs() }
    }

    private func size(of path: String) -> Int64 {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        return Int64(lseek(descriptor, 0, SEEK_END))
    }
}
