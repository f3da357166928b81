import NIOCore
import Testing
import WebSocketServer
import WebSocketTestSupport

@Suite(.timeLimit(.minutes(2)))
struct WebSocketServerTests {
    // MARK: - Handshake

    @Test func handshakeIsAnsweredAsTheStandardSays() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                let head = try await client.handshake("/sockets/echo")
                #expect(head.hasPrefix("HTTP/1.1 101 "))
                #expect(head.lowercased().contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="))
                #expect(head.lowercased().contains("server: echo"))
                try await client.send(text: "hello")
                #expect(try await client.frame().text == "hello")
            }
        }
    }

    @Test func refusedHandshakeGetsItsStatus() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                let head = try await client.handshake("/sockets/forbidden")
                #expect(head.hasPrefix("HTTP/1.1 403 "))
                #expect(try await client.bytes(9) == Array("no access".utf8))
                #expect(try await client.isAtEnd())
            }
        }
    }

    @Test func failureToDecideIsAServerError() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                let head = try await client.handshake("/sockets/broken")
                #expect(head.hasPrefix("HTTP/1.1 500 "))
            }
        }
    }

    @Test func otherVersionIsRefused() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                try await client.send(
                    "GET /sockets/echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        + "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: AAAA\r\n\r\n")
                let head = try await client.head()
                #expect(head.hasPrefix("HTTP/1.1 400 "))
                #expect(head.lowercased().contains("sec-websocket-version: 13"))
            }
        }
    }

    @Test func passedOnRequestIsAnsweredByTheRouterAndTheConnectionLivesOn() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                #expect(try await client.handshake("/sockets/passed").hasPrefix("HTTP/1.1 200 "))
                #expect(try await client.bytes(15) == Array("from the router".utf8))
                #expect(try await client.handshake("/sockets/echo").hasPrefix("HTTP/1.1 101 "))
                try await client.send(text: "later")
                #expect(try await client.frame().text == "later")
            }
        }
    }

    @Test(arguments: ["h2c", "TLS/1.0, h2c", "websocket-like"])
    func otherUpgradeIsAnsweredAsAnOrdinaryRequest(_ name: String) async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                for _ in 0..<3 {
                    try await client.send(
                        "GET /plain HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: \(name)\r\n\r\n")
                    #expect(try await client.head().hasPrefix("HTTP/1.1 200 "))
                    #expect(try await client.bytes(5) == Array("plain".utf8))
                }
            }
        }
    }

    @Test func websocketAfterPipelinedRequestsWaitsForTheirAnswers() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                let plain = "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n"
                try await client.send(plain + plain)
                let first = try await client.handshakePipelined("/sockets/echo", after: 2, bodyLength: 5)
                #expect(first.allSatisfy { $0.hasPrefix("HTTP/1.1 200 ") })
                #expect(try await client.head().hasPrefix("HTTP/1.1 101 "))
                #expect(try await client.frame().text == "early")
            }
        }
    }

    @Test func unfinishedRequestIsNotAnUpgrade() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                try await client.send("GET /sockets/echo HTTP/1.1\r\nUpgrade: websocket\r\nConn")
            }
        }
    }

    // MARK: - Messages

    @Test(arguments: [0, 1, 125, 126, 65_535, 65_536, 1 << 20])
    func messageOfAnySizeComesBack(_ size: Int) async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/echo")
                let payload = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                try await client.send(opcode: 2, payload)
                let frame = try await client.frame()
                #expect(frame.opcode == 2 && frame.payload == payload)
            }
        }
    }

    @Test func fragmentsAreJoinedWithPingsBetweenThem() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/echo")
                try await client.send(opcode: 1, Array("gr".utf8) + [0xC3], final: false)
                try await client.send(opcode: 9, Array("now".utf8))
                try await client.send(opcode: 0, [0xBC], final: false)
                try await client.send(opcode: 0, [], final: false)
                try await client.send(opcode: 0, Array("n".utf8))
                #expect(try await client.frame() == .init(final: true, opcode: 10, payload: Array("now".utf8)))
                #expect(try await client.frame() == .init(final: true, opcode: 1, payload: Array("grün".utf8)))
            }
        }
    }

    @Test func frameBytesArrivingOneByOneAreUnderstood() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/echo")
                for byte in RawWebSocketClient.encode(opcode: 1, Array("slow".utf8)) {
                    try await client.send(bytes: [byte])
                }
                #expect(try await client.frame().text == "slow")
            }
        }
    }

    struct Violation: CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        let code: Int
        var testDescription: String { name }
    }

    @Test(arguments: [
        Violation(name: "oversized frame", bytes: [0x82, 0xFF, 0, 0, 0, 0, 0x7F, 0, 0, 0, 1, 2, 3, 4], code: 1009),
        Violation(name: "unmasked", bytes: RawWebSocketClient.encode(opcode: 1, [65], masked: false), code: 1002),
        Violation(name: "reserved bit", bytes: [0xC1, 0x80, 0, 0, 0, 0], code: 1002),
        Violation(name: "unknown opcode", bytes: RawWebSocketClient.encode(opcode: 5, [65]), code: 1002),
        Violation(name: "continuation of nothing", bytes: RawWebSocketClient.encode(opcode: 0, [65]), code: 1002),
        Violation(name: "fragmented ping", bytes: RawWebSocketClient.encode(opcode: 9, [65], final: false), code: 1002),
        Violation(name: "not UTF-8", bytes: RawWebSocketClient.encode(opcode: 1, [0xFF, 0xFE]), code: 1007),
        Violation(name: "one-byte close", bytes: RawWebSocketClient.encode(opcode: 8, [3]), code: 1002),
        Violation(name: "reserved close code", bytes: RawWebSocketClient.encode(opcode: 8, [3, 0xED]), code: 1002),
        Violation(
            name: "message inside a message",
            bytes: RawWebSocketClient.encode(opcode: 1, [65], final: false)
                + RawWebSocketClient.encode(opcode: 1, [66]),
            code: 1002),
    ])
    func brokenRuleClosesWithItsCode(_ violation: Violation) async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/echo")
                try await client.send(bytes: violation.bytes)
                #expect(try await client.frame().closeCode == violation.code)
            }
        }
    }

    @Test func oversizedFragmentsCloseWithTooLarge() async throws {
        try await WebSocketTestServer.run(.init(maximumMessageSize: 1000)) { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/echo")
                try await client.send(opcode: 2, [UInt8](repeating: 1, count: 600), final: false)
                try await client.send(opcode: 0, [UInt8](repeating: 1, count: 600))
                #expect(try await client.frame().closeCode == 1009)
            }
        }
    }
}
