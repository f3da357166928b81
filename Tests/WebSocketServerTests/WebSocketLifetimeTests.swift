import NIOCore
import Testing
import WebSocketServer
import WebSocketTestSupport

@Suite(.timeLimit(.minutes(2)))
struct WebSocketLifetimeTests {
    @Test func closeOfThePeerIsEchoed() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/watched")
                try await client.send(opcode: 8, [0x03, 0xE9] + Array("leaving".utf8))
                #expect(try await client.frame().closeCode == 1001)
                #expect(try await client.isAtEnd())
            }
            #expect(await first(of: server.ends) == "ended")
        }
    }

    @Test func closeByTheHandlerCarriesCodeAndReason() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/echo")
                try await client.send(text: "bye")
                let frame = try await client.frame()
                #expect(frame.closeCode == 1008)
                #expect(frame.payload.dropFirst(2).elementsEqual(Array("bye".utf8)))
                try await client.send(opcode: 8, [0x03, 0xF0])
                #expect(try await client.isAtEnd())
            }
        }
    }

    @Test func handlerThatReturnsClosesNormally() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/count?100")
                for number in 0..<100 { #expect(try await client.dataFrame().text == "\(number)") }
                #expect(try await client.dataFrame().closeCode == 1000)
            }
        }
    }

    @Test func failingHandlerClosesWithInternalError() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/failing")
                #expect(try await client.frame().closeCode == 1011)
            }
        }
    }

    @Test func abruptCloseEndsTheHandler() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/watched")
                try await client.send(opcode: 1, [65], final: false)
            }
            #expect(await first(of: server.ends) == "ended")
        }
    }

    @Test func silentPeerIsPingedAndGivenUp() async throws {
        let configuration = WebSocketConfiguration(pingInterval: .milliseconds(50), pongTimeout: .milliseconds(50))
        try await WebSocketTestServer.run(configuration) { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/watched")
                #expect(try await client.frame().opcode == 9)
                #expect(try await client.isAtEnd())
            }
            #expect(await first(of: server.ends) == "ended")
        }
    }

    @Test func answeringPeerIsKept() async throws {
        let configuration = WebSocketConfiguration(pingInterval: .milliseconds(20), pongTimeout: .seconds(60))
        try await WebSocketTestServer.run(configuration) { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/echo")
                for _ in 0..<5 {
                    #expect(try await client.frame().opcode == 9)
                    try await client.send(opcode: 10, [])
                }
                try await client.send(text: "alive")
                #expect(try await client.dataFrame().text == "alive")
            }
        }
    }

    @Test func idleWebSocketIsClosed() async throws {
        try await WebSocketTestServer.run(.init(idleTimeout: .milliseconds(50))) { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/watched")
                #expect(try await client.frame().closeCode == 1001)
            }
        }
    }

    @Test func shutdownClosesWithGoingAway() async throws {
        try await WebSocketTestServer.run { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/watched")
                await server.shutDown()
                #expect(try await client.frame().closeCode == 1001)
                try await client.send(opcode: 8, [0x03, 0xE9])
                #expect(try await client.isAtEnd())
            }
            #expect(await first(of: server.ends) == "ended")
        }
    }

    @Test func peerThatNeverReadsIsGivenUp() async throws {
        let configuration = WebSocketConfiguration(pingInterval: .milliseconds(100), pongTimeout: .milliseconds(100))
        try await WebSocketTestServer.run(configuration) { server in
            try await RawWebSocketClient.connect(port: server.port) { client in
                _ = try await client.handshake("/sockets/flood")
                #expect(await first(of: server.ends) == "closed")
            }
        }
    }

    @Test func twoHundredSocketsAreServedAtOnce() async throws {
        try await WebSocketTestServer.run { server in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        try await RawWebSocketClient.connect(port: server.port) { client in
                            _ = try await client.handshake("/sockets/echo")
                            for round in 0..<20 {
                                try await client.send(text: "\(number) \(round)")
                                #expect(try await client.dataFrame().text == "\(number) \(round)")
                            }
                            try await client.send(opcode: 8, [0x03, 0xE8])
                            #expect(try await client.dataFrame().closeCode == 1000)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }
}

private func first(of stream: AsyncStream<String>) async -> String? {
    for await value in stream { return value }
    return nil
}
