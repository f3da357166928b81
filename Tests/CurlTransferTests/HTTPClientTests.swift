import ConcurrencyPrimitives
import CurlTransfer
import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1)))
struct HTTPClientTests {
    @Test func statusHeadersAndBodyArrive() async throws {
        let client = try HTTPClient()
        try await withServer { router in
            router.get("hello") { request, _ in
                Response(
                    status: .created, headers: [.contentType: "text/x-greeting", .eTag: request.uri.query ?? ""],
                    body: .init(byteBuffer: .init(string: "hi")))
            }
        } _: { base in
            let response = try await client.send(TransferRequest(url: base + "/hello?a=1"))
            #expect(response.status == 201)
            #expect(response.headers[.contentType] == "text/x-greeting")
            #expect(response.headers[.eTag] == "a=1")
            #expect(response.text == "hi")
        }
    }

    @Test(arguments: [HTTPRequest.Method.post, .put, .patch])
    func aMethodWithoutBodySaysLengthZero(method: HTTPRequest.Method) async throws {
        let client = try HTTPClient()
        try await withServer { router in
            router.on("x", method: method) { request, _ in
                let type = request.headers[.contentType] ?? "none"
                return "\(request.headers[.contentLength] ?? "missing") \(type) \(request.headers[.expect] ?? "none")"
            }
        } _: { base in
            let response = try await client.send(TransferRequest(method: method, url: base + "/x"))
            #expect(response.text == "0 none none")
        }
    }

    @Test func bodiesOfEveryKindReachTheServer() async throws {
        let client = try HTTPClient()
        let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try await withTemporaryFile(content) { path in
            try await withServer {
                $0.addEcho()
            } _: { base in
                let chunks = AsyncStream<[UInt8]> { continuation in
                    for start in stride(from: 0, to: content.count, by: 70_000) {
                        continuation.yield(Array(content[start..<min(start + 70_000, content.count)]))
                    }
                    continuation.finish()
                }
                let bodies: [TransferBody] = [
                    .bytes(content), .file(path), .file(path, offset: 1000, length: 50_000), .stream(chunks),
                ]
                let expected = [content, content, Array(content[1000..<51_000]), content]
                for (body, wanted) in zip(bodies, expected) {
                    let response = try await client.send(
                        TransferRequest(method: .post, url: base + "/echo", body: body))
                    #expect(response.body == wanted)
                }
            }
        }
    }

    @Test func aUnixSocketServerAnswers() async throws {
        let client = try HTTPClient()
        try await withTemporaryFile([]) { path in
            let socket = path + ".sock"
            try await withServer(unixSocket: socket) {
                $0.get("id") { _, _ in "on a socket" }
            } _: { base in
                let response = try await client.send(TransferRequest(url: base + "/id", unixSocket: socket))
                #expect(response.text == "on a socket")
            }
        }
    }

    @Test func connectionsAreUsedAgain() async throws {
        let client = try HTTPClient()
        let connections = Mutex(0)
        try await withRawServer { number, iterator, outbound in
            connections.withLock { $0 = max($0, number) }
            var inbound = iterator
            for _ in 0..<10 {
                try await inbound.readHead()
                try await outbound.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
        } _: { base in
            for _ in 0..<10 {
                let response = try await client.send(TransferRequest(url: base + "/"))
                #expect(response.text == "ok")
            }
        }
        #expect(connections.withLock { $0 } == 1)
    }

    @Test func aKeptConnectionThatDiedIsReplaced() async throws {
        let client = try HTTPClient()
        try await withRawServer { _, iterator, outbound in
            var inbound = iterator
            try await inbound.readHead()
            try await outbound.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        } _: { base in
            for _ in 0..<5 {
                let response = try await client.send(TransferRequest(method: .put, url: base + "/", body: .text("x")))
                #expect(response.text == "ok")
            }
        }
    }

    /// So that a peer never sees the head of a request alone whose client was killed.
    @Test(arguments: [HTTPRequest.Method.put, .post, .patch])
    func aSmallBodyComesInOnePieceWithItsHead(method: HTTPRequest.Method) async throws {
        let client = try HTTPClient()
        let body = String(repeating: "b", count: 1000)
        try await withRawServer { _, iterator, outbound in
            var inbound = iterator
            for _ in 0..<20 {
                let piece = try await inbound.next().map { String(buffer: $0) } ?? ""
                let isWhole = piece.hasPrefix("\(method.rawValue) /") && piece.hasSuffix("\r\n\r\n" + body)
                try await outbound.say("HTTP/1.1 \(isWhole ? 200 : 400) Seen\r\nContent-Length: 0\r\n\r\n")
            }
        } _: { base in
            for _ in 0..<20 {
                let request = TransferRequest(method: method, url: base + "/", body: .text(body))
                let response = try await client.send(request)
                #expect(response.status == 200)
            }
        }
    }

    @Test func informationalHeadsAndTrailersAreIgnored() async throws {
        let client = try HTTPClient()
        try await withRawServer { _, iterator, outbound in
            var inbound = iterator
            try await inbound.readHead()
            try await outbound.say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n")
            try await outbound.say(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
                    + "3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n")
        } _: { base in
            let response = try await client.send(TransferRequest(url: base + "/"))
            #expect(response.status == 200)
            #expect(response.text == "abc")
            #expect(response.headers.map(\.name.canonicalName) == ["transfer-encoding", "trailer"])
        }
    }

    @Test func redirectsAreFollowedOnlyOnRequest() async throws {
        let client = try HTTPClient()
        try await withServer { router in
            router.get("from") { _, _ in Response.redirect(to: "/to", type: .found) }
            router.get("to") { _, _ in "arrived" }
            router.get("loop") { _, _ in Response.redirect(to: "/loop", type: .found) }
        } _: { base in
            let refused = try await client.send(TransferRequest(url: base + "/from"))
            #expect(refused.status == 302)
            let followed = try await client.send(TransferRequest(url: base + "/from", redirectLimit: 3))
            #expect(followed.text == "arrived")
            let endless = TransferRequest(url: base + "/loop", redirectLimit: 3)
            let error = await #expect(throws: TransferError.self) { try await client.send(endless) }
            #expect(error?.code == .tooManyRedirects)
        }
    }

    @Test func twoHundredTransfersRunAtOnce() async throws {
        let client = try HTTPClient()
        try await withServer {
            $0.addEcho()
        } _: { base in
            let total = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        let text = String(repeating: "\(number);", count: 2000)
                        let response = try await client.send(
                            TransferRequest(method: .post, url: base + "/echo", body: .text(text)))
                        return response.text == text ? 1 : 0
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(total == 200)
        }
    }

    @Test func jsonIsSentAndDecoded() async throws {
        struct Point: Codable, Equatable { var x: Int }
        let client = try HTTPClient()
        try await withServer {
            $0.addEcho()
        } _: { base in
            let request = try TransferRequest.json(.post, url: base + "/echo", Point(x: 4))
            let echoed = try await client.sendJSON(request, as: Point.self)
            #expect(echoed == Point(x: 4))
            let missing = TransferRequest(url: base + "/missing")
            let error = await #expect(throws: TransferError.self) {
                try await client.sendJSON(missing, as: Point.self)
            }
            #expect(error?.code == .unexpectedStatus)
            #expect(error?.status == 404)
        }
    }

    @Test func passingFailuresAreRetried() async throws {
        let client = try HTTPClient()
        let calls = Mutex(0)
        try await withServer { router in
            router.get("flaky") { _, _ -> Response in
                let call = calls.withLock { calls in
                    calls += 1
                    return calls
                }
                return Response(status: call < 3 ? .serviceUnavailable : .ok)
            }
        } _: { base in
            let response = try await client.sendRetrying(
                TransferRequest(url: base + "/flaky"),
                backoff: .init(initial: .milliseconds(1), limit: .milliseconds(2), factor: 1, jitter: 0))
            #expect(response.status == 200)
        }
        #expect(calls.withLock { $0 } == 3)
    }
}
