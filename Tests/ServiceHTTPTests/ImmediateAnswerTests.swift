import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import ServiceHTTP
import Synchronization
import TestSupport
import Testing

/// A server that answers `/near` from memory if it may, and everything by its routes.
@Suite(.timeLimit(.minutes(1))) struct ImmediateAnswerTests {
    /// Counts what was answered from memory.
    private final class Memory: Sendable {
        private let counted = Atomic<Int>(0)
        private let body: [UInt8]

        init(_ body: String) { self.body = Array(body.utf8) }

        var count: Int { counted.load(ordering: .relaxed) }

        func answer(_ request: HTTPRequest) -> ImmediateAnswer? {
            guard request.path == "/near" else { return nil }
            counted.add(1, ordering: .relaxed)
            return ImmediateAnswer([.contentType: "text/plain"], body: body)
        }
    }

    private static func withServer(
        _ memory: Memory, idleTimeout: TimeAmount? = nil,
        _ body: @escaping @Sendable (RawConnection) async throws -> Void
    ) async throws {
        let router = Router()
        router.get("/near") { _, _ in "usual" }
        router.head("/near") { _, _ in "" }
        router.get("/slow") { _, _ in
            // Lets what was sent behind it arrive first.
            try await Task.sleep(for: .milliseconds(200))
            return "slow"
        }
        router.get("/pieces") { _, _ in
            Response(
                status: .ok,
                body: ResponseBody { writer in
                    try await writer.write(ByteBuffer(string: "piece"))
                    try await writer.finish(nil)
                })
        }
        let server = HTTPServerBuilder.plain(
            idleTimeout: idleTimeout, runsOnEventLoop: true, atOnce: memory.answer)
        try await withTestServer(router, server: server) { port in try await body(try RawConnection(port: port)) }
    }

    private static func get(_ path: String, _ fields: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n"
    }

    @Test func whatIsInMemoryIsAnsweredInFull() async throws {
        let memory = Memory("at once")
        try await Self.withServer(memory) { connection in
            for number in 1...3 {
                try connection.send(Self.get("/near", "Accept: */*\r\nContent-Length: 0\r\n"))
                let answer = try await connection.receive(through: "at once")
                #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
                #expect(answer.contains("Content-Length: 7\r\n") && answer.contains("Content-Type: text/plain\r\n"))
                let date = /\r\nDate: (Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} 20\d\d \d\d:\d\d:\d\d GMT\r\n/
                #expect(answer.contains(date), "\(answer)")
                #expect(memory.count == number)
            }
        }
    }

    /// Requests sent together are answered in their order, whichever way each takes.
    @Test func answersKeepTheOrderOfTheirRequests() async throws {
        let memory = Memory("at once")
        try await Self.withServer(memory) { connection in
            try connection.send(
                ["/near", "/slow", "/near", "/slow", "/near"].map { Self.get($0) }.joined())
            let answers = try await connection.receive(through: "usual", times: 2)
            let bodies = answers.matches(of: /\r\n\r\n(at once|usual|slow)/).map(\.1)
            #expect(bodies == ["at once", "slow", "usual", "slow", "usual"])
            // Nothing is left that anybody waits for.
            try connection.send(Self.get("/near"))
            #expect(try await connection.receive(through: "at once").hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
    }

    /// What the encoder remembers of an answer in chunks is nothing to the next one.
    @Test func anAnswerBehindOneInChunksIsItself() async throws {
        let memory = Memory("at once")
        try await Self.withServer(memory) { connection in
            try connection.send(Self.get("/pieces"))
            let pieces = try await connection.receive(through: "0\r\n\r\n")
            #expect(pieces.contains("chunked") && pieces.hasSuffix("\r\n5\r\npiece\r\n0\r\n\r\n"))
            for _ in 1...2 {
                try connection.send(Self.get("/near"))
                let answer = try await connection.receive(through: "at once")
                #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("\r\n\r\nat once"), "\(answer)")
            }
        }
    }

    @Test(arguments: [
        "Range: bytes=0-1\r\n", "If-None-Match: \"x\"\r\n", "Connection: close\r\n", "Expect: 100-continue\r\n",
        "Content-Length: 2\r\n",
    ])
    func whatIsMoreThanAPlainGetTakesTheUsualWay(_ fields: String) async throws {
        let memory = Memory("at once")
        try await Self.withServer(memory) { connection in
            try connection.send(Self.get("/near", fields) + (fields.hasPrefix("Content-Length") ? "ab" : ""))
            #expect(try await connection.receive(through: "usual").hasSuffix("usual"))
            #expect(memory.count == 0)
        }
    }

    /// The answers to a client that reads none of them do not pile up.
    @Test func aClientThatDoesNotReadIsWaitedFor() async throws {
        let (size, requests) = (1 << 18, 400)
        let memory = Memory(String(repeating: "x", count: size))
        try await Self.withServer(memory) { connection in
            try connection.send((0..<requests).map { _ in Self.get("/near") }.joined())
            try await eventually("the first is answered") { memory.count > 0 }
            // Time to answer all of them, were they not held back.
            try await Task.sleep(for: .milliseconds(300))
            // What the sockets take and one more read of requests, which is far from all of them.
            #expect(memory.count < requests / 2)
            var (answers, rest) = (0, [UInt8]())
            while answers < requests {
                let bytes = try await connection.receive()
                try #require(!bytes.isEmpty)
                rest += bytes
                while let end = rest.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound {
                    let isUsual = rest[..<end].firstRange(of: Array("Content-Length: 5".utf8)) != nil
                    let length = isUsual ? 5 : size
                    guard rest.count >= end + length else { break }
                    rest.removeFirst(end + length)
                    answers += 1
                }
            }
            #expect(answers == requests && rest.isEmpty)
        }
    }

    @Test func aConnectionIsIdleAfterItsLastAnswer() async throws {
        let memory = Memory("at once")
        try await Self.withServer(memory, idleTimeout: .seconds(3)) { connection in
            for _ in 0..<4 {
                try connection.send(Self.get("/near"))
                #expect(try await connection.receive(through: "at once").hasSuffix("at once"))
                // Together longer than the limit, each far from it.
                try await Task.sleep(for: .seconds(1))
            }
            #expect(try await connection.receive().isEmpty)
        }
    }
}
