import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import MetricsExposition
import NIOCore
import ServiceHTTP
import Testing

struct ServiceHTTPTests {
    private struct Unexpected: Error {}

    private func application(_ checks: [ReadinessCheck] = [], drain: DrainSignal? = nil) -> some ApplicationProtocol {
        let router = Router()
        router.add(middleware: AccessLogMiddleware())
        router.add(middleware: HTTPMetricsMiddleware())
        router.add(middleware: ErrorReportingMiddleware())
        HealthRoutes(checks: checks, metrics: PrometheusMetrics(), drain: drain).addRoutes(to: router)
        router.get("/refused") { _, _ -> String in throw APIError(.conflict, message: "Already there.") }
        router.get("/broken") { _, _ -> String in throw Unexpected() }
        return Application(router: router)
    }

    private func body(_ response: TestResponse) -> String { String(buffer: response.body) }

    @Test func errorsCarryCodeAndMessage() async throws {
        try await application().test(.router) { client in
            try await client.execute(uri: "/refused", method: .get) { response in
                #expect(response.status == .conflict)
                #expect(body(response).contains(#""code":"conflict","message":"Already there.""#))
                #expect(response.headers[.contentType] == "application/json; charset=utf-8")
            }
        }
    }

    @Test func unexpectedErrorsTellNothingButTheRequest() async throws {
        try await application().test(.router) { client in
            try await client.execute(uri: "/broken", method: .get) { response in
                #expect(response.status == .internalServerError)
                #expect(body(response).contains("internal_error"))
                #expect(!body(response).contains("Unexpected"))
            }
        }
    }

    @Test func readinessNamesWhatFails() async throws {
        let checks = [
            ReadinessCheck("database") {},
            ReadinessCheck("broker") { throw Unexpected() },
            ReadinessCheck("slow", timeout: .milliseconds(10)) { try await Task.sleep(for: .seconds(60)) },
        ]
        try await application(checks).test(.router) { client in
            try await client.execute(uri: "/readiness", method: .get) { response in
                #expect(response.status == .serviceUnavailable)
                #expect(body(response) == "broker: not ready\nslow: not ready\n")
            }
            try await client.execute(uri: "/healthz", method: .get) { #expect($0.status == .ok) }
        }
    }

    @Test func aDrainingProcessIsNotReady() async throws {
        let drain = DrainSignal()
        try await application(drain: drain).test(.router) { client in
            try await client.execute(uri: "/readiness", method: .get) { #expect($0.status == .ok) }
            drain.beginDraining()
            try await client.execute(uri: "/readiness", method: .get) { #expect($0.status == .serviceUnavailable) }
        }
    }
}
