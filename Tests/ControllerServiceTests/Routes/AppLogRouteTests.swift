import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceHTTP
import ServiceLifecycle
import Synchronization
import Testing

@testable import ControllerService

extension APITests {
    /// `GET /v2/apps/<id>/logs` against a logger that answers as ours does.
    @Suite struct AppLogRouteTests {
        private static let line = "2026-05-10T16:08:09+00:00 myapp[web.v3.x2x4k]: hello\n"

        /// What a logger was asked for.
        private final class Asked: Sendable {
            private let state = Mutex<[String]>([])
            var all: [String] { state.withLock { $0 } }
            func add(_ uri: String) { state.withLock { $0.append(uri) } }
        }

        private func withLogger(
            _ body: @Sendable @escaping (API, _ ada: String, Asked) async throws -> Void
        ) async throws {
            let asked = Asked()
            let router = Router()
            router.get("logs/:app") { request, _ -> Response in
                asked.add("\(request.uri)")
                switch request.uri.queryParameters["log_lines"] {
                case "0": return Response(status: .noContent)
                case "13": return Response(status: .internalServerError)
                case "x":
                    return Response(status: .badRequest, body: .init(byteBuffer: ByteBuffer(string: "bad number")))
                default: break
                }
                return Response(
                    status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
                    body: .init { writer in
                        for _ in 0..<2 { try await writer.write(ByteBuffer(string: Self.line)) }
                        try await writer.finish(nil)
                    })
            }
            let (ports, port) = AsyncStream.makeStream(of: Int.self)
            let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
            let application = Application(
                router: router, server: .plain(), configuration: .init(address: .hostname("127.0.0.1", port: 0)),
                onServerRunning: { port.yield($0.localAddress?.port ?? 0) }, logger: logger)
            let group = ServiceGroup(services: [application], logger: logger)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                var iterator = ports.makeAsyncIterator()
                let number = try #require(await iterator.next())
                try await withAPI(settings: ["LOGGER_URL": "http://127.0.0.1:\(number)"]) { api in
                    let ada = try await api.signUp("ada", id: 7)
                    try await api.makeApp(as: ada)
                    try await body(api, ada, asked)
                }
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        }

        @Test func linesComeAsTheLoggerHasThem() async throws {
            try await withLogger { api, ada, asked in
                for path in ["/v2/apps/myapp/logs", "/v2/apps/myapp/logs/"] {
                    let answer = try await api.call(.get, path, as: ada)
                    #expect(answer.status == 200 && answer.text == Self.line + Self.line)
                    #expect(answer.headers[.contentType] == "text/plain; charset=utf-8")
                }
                let followed = try await api.call(.get, "/v2/apps/myapp/logs?log_lines=5&follow=true", as: ada)
                #expect(followed.text == Self.line + Self.line)
                #expect(
                    asked.all == [
                        "/logs/myapp?log_lines=100", "/logs/myapp?log_lines=100", "/logs/myapp?log_lines=5&follow=true",
                    ])
            }
        }

        @Test func whatTheLoggerRefusesIsTold() async throws {
            try await withLogger { api, ada, _ in
                let none = try await api.call(.get, "/v2/apps/myapp/logs?log_lines=0", as: ada)
                #expect(none.status == 200 && none.text.isEmpty)
                let bad = try await api.call(.get, "/v2/apps/myapp/logs?log_lines=x", as: ada)
                #expect(bad.status == 400)
                try expectJSON(bad, #"{"detail":"bad number"}"#)
                let broken = try await api.call(.get, "/v2/apps/myapp/logs?log_lines=13", as: ada)
                #expect(broken.status == 502)
                let foreign = try await api.signUp("eve", id: 30)
                #expect(try await api.call(.get, "/v2/apps/myapp/logs", as: foreign).status == 403)
            }
        }

        @Test func aLoggerThatIsAwayIsTold() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let answer = try await api.call(.get, "/v2/apps/myapp/logs", as: ada)
                #expect(answer.status == 502)
                try expectJSON(answer, #"{"detail":"The logger does not answer, try again later."}"#)
            }
        }
    }
}
