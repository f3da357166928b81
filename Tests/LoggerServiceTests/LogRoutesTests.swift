import AccessTokens
import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import TestSupport
import Testing

@testable import LoggerService

@Suite(.timeLimit(.minutes(1)))
struct LogRoutesTests {
    private static func app(
        _ store: LogStore, limits: QueryLimits = .init(heartbeat: .seconds(60)), verifier: AccessTokenVerifier? = nil
    ) -> some ApplicationProtocol {
        // A silent handler would lose the request id, which answers carry.
        var logger = Logger(label: "logger.tests")
        logger.logLevel = .critical
        let router = Router()
        LogServer.addRoutes(to: router, store: store, limits: limits, verifier: verifier, logger: logger)
        return Application(router: router, logger: logger)
    }

    private static func filled(_ count: Int = 10) async throws -> LogStore {
        let store = LogStore()
        _ = try await store.ingest(Sample.batch((0..<count).map { "line \($0)" }))
        return store
    }

    @Test(arguments: [
        ("", 10), ("?log_lines=3", 3), ("?log_lines=0", 0), ("?log_lines=-1", 5), ("?log_lines=x", 5),
        ("?log_lines=99", 5),
    ])
    func numberOfLinesIsBounded(_ query: String, _ count: Int) async throws {
        let store = try await Self.filled()
        try await Self.app(store, limits: .init(defaultLines: 10, maximumLines: 5)).test(.router) { client in
            try await client.execute(uri: "/logs/shop\(query)", method: .get) { response in
                #expect(response.status == (count == 0 ? .noContent : .ok))
                #expect(String(buffer: response.body).split(separator: "\n").count == count)
            }
        }
    }

    @Test func slashAtTheEndMakesNoDifference() async throws {
        try await Self.app(try await Self.filled(1)).test(.router) { client in
            try await client.execute(uri: "/logs/shop/", method: .get) { response in
                #expect(String(buffer: response.body) == "2024-03-01T10:02:03+00:00 shop[web.v3.x2x4k]: line 0\n")
            }
        }
    }

    @Test func appWithoutLinesHasNoContent() async throws {
        try await Self.app(LogStore()).test(.router) { client in
            try await client.execute(uri: "/logs/nobody", method: .get) { #expect($0.status == .noContent) }
        }
    }

    @Test(arguments: ["/logs/..%2Fetc", "/logs/UPPER", "/logs/shop?format=xml", "/logs/shop?since=yesterday"])
    func wrongRequestsAreRefused(_ uri: String) async throws {
        try await Self.app(try await Self.filled()).test(.router) { client in
            try await client.execute(uri: uri, method: .get) { #expect($0.status == .badRequest) }
        }
    }

    @Test func deletedLogIsGone() async throws {
        try await Self.app(try await Self.filled()).test(.router) { client in
            try await client.execute(uri: "/logs/shop", method: .delete) { #expect($0.status == .ok) }
            try await client.execute(uri: "/logs/shop", method: .get) { #expect($0.status == .noContent) }
        }
    }

    @Test func jsonCarriesTheSequence() async throws {
        struct Line: Decodable {
            let sequence: Int
            let text: String
            let source: String
            let time: String
        }
        try await Self.app(try await Self.filled(2)).test(.router) { client in
            try await client.execute(uri: "/logs/shop?format=json&log_lines=1", method: .get) { response in
                let line = try JSONDecoder().decode(Line.self, from: Data(response.body.readableBytesView))
                #expect(line.sequence == 2 && line.text == "line 1" && line.source == "shop[web.v3.x2x4k]")
                #expect(line.time == "2024-03-01T10:02:03.000000005Z")
            }
        }
    }

    // MARK: - Ingest

    @Test func eventsOfTheControllerAreStored() async throws {
        let body = """
            {"app":"shop","time":"2026-01-02T03:04:05Z","source":"drycc[controller]","level":"INFO",\
            "text":"config updated"}

            not json
            {"log":"hi\\n","stream":"stderr","kubernetes":{"namespace_name":"shop","pod_name":"a",\
            "labels":{"type":"web"}}}
            {"app":"../etc","text":"x"}
            """
        try await Self.app(LogStore()).test(.router) { client in
            try await client.execute(uri: "/ingest", method: .post, body: ByteBuffer(string: body)) { response in
                #expect(String(buffer: response.body) == #"{"accepted":2,"rejected":2}"#)
            }
            try await client.execute(uri: "/logs/shop", method: .get) { response in
                let text = String(buffer: response.body)
                #expect(text.hasPrefix("2026-01-02T03:04:05+00:00 drycc[controller]: INFO config updated\n"))
                #expect(text.hasSuffix(" shop[web.a]: hi\n"))
            }
        }
    }

    @Test(arguments: ["garbage", #"{"app":"shop"}"#, #"{"app":"shop","text":"x","source":"a b"}"#, "{", "\u{0}"])
    func bodyWithoutAUsableLineIsRefused(_ body: String) async throws {
        try await Self.app(LogStore()).test(.router) { client in
            try await client.execute(uri: "/ingest", method: .post, body: ByteBuffer(string: body)) {
                #expect($0.status == .badRequest)
            }
        }
    }

    @Test func tooLargeABodyIsRefused() async throws {
        try await Self.app(LogStore()).test(.router) { client in
            let body = ByteBuffer(repeating: UInt8(ascii: "x"), count: 17 << 20)
            try await client.execute(uri: "/ingest", method: .post, body: body) {
                #expect($0.status == .contentTooLarge)
            }
        }
    }

    @Test func repeatedRequestStoresNothing() async throws {
        try await Self.app(LogStore()).test(.router) { client in
            let name = try #require(HTTPField.Name("Idempotency-Key"))
            for _ in 0..<3 {
                let body = ByteBuffer(string: #"{"app":"shop","text":"once"}"#)
                try await client.execute(uri: "/ingest", method: .post, headers: [name: "k1"], body: body) {
                    #expect($0.status == .ok)
                }
            }
            try await client.execute(uri: "/logs/shop", method: .get) { response in
                #expect(String(buffer: response.body).split(separator: "\n").count == 1)
            }
        }
    }

    // MARK: - Following

    @Test func followEndsWithTheTimeout() async throws {
        try await Self.app(try await Self.filled(3)).test(.router) { client in
            try await client.execute(uri: "/logs/shop?follow=true&timeout=0&log_lines=2", method: .get) { response in
                #expect(response.status == .ok)
                #expect(
                    String(buffer: response.body).split(separator: "\n").map { $0.suffix(6) } == ["line 1", "line 2"])
            }
        }
    }

    @Test func followOfAnAppWithoutLinesWaits() async throws {
        let store = LogStore()
        try await Self.app(store, limits: .init(heartbeat: .milliseconds(20))).test(.router) { client in
            async let body = client.execute(uri: "/logs/shop?follow=true&format=json", method: .get) {
                String(buffer: $0.body)
            }
            try await eventually { await store.isFollowed(Sample.app("shop")) }
            _ = try await store.ingest(Sample.batch(["first", "second"]))
            try await store.remove(Sample.app("shop"))
            let lines = try await body.split(separator: "\n").filter { !$0.contains("heartbeat") }
            #expect(lines.count == 2 && lines[1].contains(#""text":"second""#))
        }
    }

    // MARK: - Authorization

    @Test func tokensDecide() async throws {
        let (verifier, token) = try await TestTokens.make()
        try await Self.app(try await Self.filled(), verifier: verifier).test(.router) { client in
            func status(_ method: HTTPRequest.Method, _ uri: String, _ token: String?) async throws
                -> HTTPResponse.Status
            {
                let headers: HTTPFields = token.map { [.authorization: "Bearer \($0)"] } ?? [:]
                let body = method == .post ? ByteBuffer(string: #"{"app":"shop","text":"x"}"#) : nil
                return try await client.execute(uri: uri, method: method, headers: headers, body: body) { $0.status }
            }
            let reader = try token("logger:read")
            let writer = try token("openid logger:write")
            #expect(try await status(.get, "/logs/shop", nil) == .unauthorized)
            #expect(try await status(.get, "/logs/shop", "junk") == .unauthorized)
            #expect(try await status(.get, "/logs/shop", writer) == .forbidden)
            #expect(try await status(.get, "/logs/shop", reader) == .ok)
            #expect(try await status(.post, "/ingest", reader) == .forbidden)
            #expect(try await status(.post, "/ingest", writer) == .ok)
            #expect(try await status(.delete, "/logs/shop", writer) == .forbidden)
            #expect(try await status(.delete, "/logs/shop", reader) == .ok)
        }
    }
}
