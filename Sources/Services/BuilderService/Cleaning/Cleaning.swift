import ServiceLifecycle

/// Cleans up now and then, until shutdown: layers of former builds, and source bundles nobody needs.
struct Cleaning: Service {
    let cache: LayerCache
    let sources: SourceCleaner
    let interval: Duration
    var clock: any Clock<Duration> = ContinuousClock()

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown {
                while true {
                    try await clock.sleep(for: interval)
                    try await sources.clean()
                    try await cache.prune()
                }
            }
        } catch is CancellationError {
            // Shutdown; what is left to clean is found at the next start.
        }
    }
}
