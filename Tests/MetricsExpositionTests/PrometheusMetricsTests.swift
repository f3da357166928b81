import CoreMetrics
import MetricsExposition
import Testing

struct PrometheusMetricsTests {
    @Test func countersHaveLabelsAndTotals() {
        let metrics = PrometheusMetrics()
        Counter(label: "http.requests", dimensions: [("status", "200"), ("route", "/a\"b")], factory: metrics)
            .increment(by: 2)
        Counter(label: "http.requests", dimensions: [("status", "200"), ("route", "/a\"b")], factory: metrics)
            .increment()
        #expect(
            metrics.exposition() == """
                # TYPE http_requests_total counter
                http_requests_total{route="/a\\"b",status="200"} 3

                """)
    }

    @Test func timersAreHistogramsInSeconds() {
        let metrics = PrometheusMetrics()
        let timer = Timer(label: "task.duration", factory: metrics)
        timer.recordNanoseconds(3_000_000)
        timer.recordNanoseconds(400_000_000_000)
        let page = metrics.exposition()
        #expect(page.contains("# TYPE task_duration histogram\n"))
        #expect(page.contains("task_duration_bucket{le=\"0.0025\"} 0\n"))
        #expect(page.contains("task_duration_bucket{le=\"0.005\"} 1\n"))
        #expect(page.contains("task_duration_bucket{le=\"+Inf\"} 2\n"))
        #expect(page.contains("task_duration_count 2\n"))
    }

    @Test func gaugesKeepTheLastValue() {
        let metrics = PrometheusMetrics()
        let gauge = Meter(label: "queue.depth", factory: metrics)
        gauge.set(5)
        gauge.decrement(by: 2)
        #expect(metrics.exposition() == "# TYPE queue_depth gauge\nqueue_depth 3.0\n")
    }
}
