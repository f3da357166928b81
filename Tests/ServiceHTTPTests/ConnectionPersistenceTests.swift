import Hummingbird
import HummingbirdCore
import ServiceHTTP
import TestSupport
import Testing

/// When a connection ends after its answer, and when it stays.
@Suite(.timeLimit(.minutes(1))) struct ConnectionPersistenceTests {
    private static func withServer(_ body: @escaping @Sendable (RawConnection) async throws -> Void) async throws {
        let router = Router()
        router.get("/") { _, _ in "answer" }
        router.post("/") { request, _ in try await request.body.collect(upTo: 100) }
        try await withTestServer(router, server: .plain()) { port in try await body(try RawConnection(port: port)) }
    }

    @Test(arguments: [
        "GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 6\r\n\r\nanswer",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: TE, Close\r\n\r\n",
    ])
    func theConnectionEndsWhereTheClientWaitsForIt(request: String) async throws {
        try await Self.withServer { connection in
            try connection.send(request)
            let answer = try await connection.receive(through: "answer")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"), "\(answer)")
            #expect(try await connection.receive().isEmpty)
        }
    }

    @Test func otherwiseItStays() async throws {
        try await Self.withServer { connection in
            for fields in ["", "Connection: keep-alive\r\n", "Connection: TE\r\n"] {
                try connection.send("GET / HTTP/1.1\r\nHost: x\r\n\(fields)\r\n")
                #expect(try await connection.receive(through: "answer").hasPrefix("HTTP/1.1 200 OK\r\n"))
            }
        }
    }
}
