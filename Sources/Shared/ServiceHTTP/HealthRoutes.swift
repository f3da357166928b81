import HTTPTypes
package import Hummingbird
import Logging
package import MetricsExposition
import NIOCore

/// One thing that must work before a service takes traffic.
package struct ReadinessCheck: Sendable {
    package let name: String
    package let timeout: Duration
    let check: @Sendable () async throws -> Void

    /// - Parameter check: returns when the dependency works and throws when it does not.
    package init(_ name: String, timeout: Duration = .seconds(2), check: @escaping @Sendable () async throws -> Void) {
        self.name = name
        self.timeout = timeout
        self.check = check
    }
}

/// `GET /healthz` (the process runs), `GET /readiness` (every check passes) and `GET /metrics`.
///
/// An answer of 503 names the failing checks, one a line; causes go to the log.
package struct HealthRoutes: Sendable {
    private let checks: [ReadinessCheck]
    private let metrics: PrometheusMetrics?
    private let drain: DrainSignal?

    package init(checks: [ReadinessCheck], metrics: PrometheusMetrics? = nil, drain: DrainSignal? = nil) {
        self.checks = checks
        self.metrics = metrics
        self.drain = drain
    }

    package func addRoutes<Context: RequestContext>(to router: some RouterMethods<Context>) {
        router.get("/healthz") { _, _ in Self.text(.ok, "OK") }
        router.head("/healthz") { _, _ in Self.text(.ok, "") }
        router.get("/readiness") { _, context in await readiness(logger: context.logger) }
        router.head("/readiness") { _, context in await readiness(logger: context.logger) }
        if let metrics {
            router.get("/metrics") { _, _ in
                Self.text(.ok, metrics.exposition(), type: "text/plain; version=0.0.4; charset=utf-8")
            }
        }
    }

    private func readiness(logger: Logger) async -> Response {
        if let drain, drain.isDraining { return Self.text(.serviceUnavailable, "shutting down\n") }
        let failures = await withTaskGroup(of: String?.self) { group in
            for check in checks {
                group.addTask { await failure(of: check, logger: logger) }
            }
            return await group.reduce(into: [String]()) { if let name = $1 { $0.append(name) } }
        }
        if failures.isEmpty { return Self.text(.ok, "OK") }
        return Self.text(.serviceUnavailable, failures.sorted().map { "\($0): not ready\n" }.joined())
    }

    /// The name of the check when it fails.
    private func failure(of check: ReadinessCheck, logger: Logger) async -> String? {
        do {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                group.addTask {
                    try await check.check()
                    return true
                }
                group.addTask {
                    try await Task.sleep(for: check.timeout)
                    return false
                }
                defer { group.cancelAll() }
                guard try await group.next() == true else { throw CheckTimedOut() }
            }
            return nil
        } catch {
            logger.warning(
                "Readiness check failed",
                metadata: ["check": "\(check.name)", "error": "\(String(reflecting: error))"])
            return check.name
        }
    }

    private static func text(
        _ status: HTTPResponse.Status, _ body: String, type: String = "text/plain; charset=utf-8"
    ) -> Response {
        Response(status: status, headers: [.contentType: type], body: .init(byteBuffer: ByteBuffer(string: body)))
    }
}

private struct CheckTimedOut: Error {}
