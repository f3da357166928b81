import HTTPTypes
package import Hummingbird
package import MetricsExposition
import NIOCore
package import ServiceHTTP

/// Health of the router and its numbers, nginx's among them.
package struct RouterHealth: Sendable {
    private let control: EdgeControl
    private let table: EdgeTable
    private let metrics: PrometheusMetrics
    private let drain: DrainSignal?

    package init(control: EdgeControl, table: EdgeTable, metrics: PrometheusMetrics, drain: DrainSignal? = nil) {
        self.control = control
        self.table = table
        self.metrics = metrics
        self.drain = drain
    }

    package func makeRouter() -> Hummingbird.Router<BasicRequestContext> {
        let router = Hummingbird.Router(context: BasicRequestContext.self)
        let checks = [
            ReadinessCheck("nginx") { _ = try await control.version() },
            ReadinessCheck("routing table") {
                guard await table.currentVersion != nil else { throw NoTable() }
            },
        ]
        HealthRoutes(checks: checks, drain: drain).addRoutes(to: router)
        router.get("/metrics") { _, _ in
            let page = try await metrics.exposition() + control.metrics()
            return Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: page)))
        }
        return router
    }

    private struct NoTable: Error {}
}
