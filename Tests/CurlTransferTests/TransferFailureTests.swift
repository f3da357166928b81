import CurlTransfer
import HTTPTypes
import Hummingbird
import NIOCore
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1)))
struct TransferFailureTests {
    /// What a peer says before it closes, and what the client must call it.
    struct BadPeer: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let says: String
        let code: TransferError.Code
    }

    static let badPeers = [
        BadPeer(testDescription: "nothing at all", says: "", code: .interrupted),
        BadPeer(testDescription: "half a head", says: "HTTP/1.1 200 OK\r\nContent-", code: .interrupted),
        BadPeer(
            testDescription: "half a body", says: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", code: .interrupted
        ),
        BadPeer(
            testDescription: "half a chunk", says: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
            code: .interrupted),
        BadPeer(testDescription: "another protocol", says: "SSH-2.0-OpenSSH_9.2\r\n", code: .invalidResponse),
    ]

    @Test(arguments: badPeers)
    func aPeerThatLeavesInTheMiddleIsAnError(peer: BadPeer) async throws {
        let client = try HTTPClient()
        try await withRawServer { _, iterator, outbound in
            var inbound = iterator
            try await inbound.readHead()
            try await outbound.say(peer.says)
        } _: { base in
            let error = await #expect(throws: TransferError.self) {
                try await client.send(TransferRequest(url: base + "/secret?token=hidden"))
            }
            #expect(error?.code == peer.code)
            #expect(error.map { "\($0)" }?.contains("hidden") == false)
        }
    }

    @Test func nobodyListening() async throws {
        let client = try HTTPClient()
        let port = try RefusingPort()
        let error = await #expect(throws: TransferError.self) {
            try await client.send(TransferRequest(url: "http://127.0.0.1:\(port.number)/"))
        }
        withExtendedLifetime(port) {}
        #expect(error?.code == .refused)
        let missing = TransferRequest(url: "http://unix/", unixSocket: "/nonexistent/socket")
        let socketError = await #expect(throws: TransferError.self) { try await client.send(missing) }
        #expect(socketError?.code == .refused)
        #expect(socketError?.peer == "/nonexistent/socket")
    }

    @Test func aNameWithoutAddress() async throws {
        let client = try HTTPClient()
        let request = TransferRequest(url: "http://no-such-host.invalid/", connectTimeout: .seconds(20))
        let error = await #expect(throws: TransferError.self) { try await client.send(request) }
        #expect(error?.code == .resolveFailed)
    }

    @Test func aServerThatTakesTooLong() async throws {
        let client = try HTTPClient()
        try await withRawServer { _, iterator, _ in
            var inbound = iterator
            try await inbound.readHead()
            _ = try await inbound.next()
        } _: { base in
            let total = TransferRequest(url: base + "/", timeout: .milliseconds(50))
            let idle = TransferRequest(url: base + "/", timeout: nil, idleTimeout: .milliseconds(50))
            for request in [total, idle] {
                let error = await #expect(throws: TransferError.self) { try await client.send(request) }
                #expect(error?.code == .timeout)
            }
        }
    }

    @Test func aResponsePastTheLimit() async throws {
        let client = try HTTPClient()
        try await withServer {
            $0.addEcho()
        } _: { base in
            let request = TransferRequest(
                method: .post, url: base + "/echo", body: .bytes(Array(repeating: 1, count: 2000)))
            let fitting = try await client.send(request, limit: 2000)
            #expect(fitting.body.count == 2000)
            let error = await #expect(throws: TransferError.self) { try await client.send(request, limit: 1999) }
            #expect(error?.code == .tooLarge)
        }
    }

    @Test(arguments: ["", "no scheme", "ftp://127.0.0.1/", "http://127.0.0.1:99999/", "file:///etc/passwd"])
    func anAddressThatCannotBeUsed(url: String) async throws {
        let client = try HTTPClient()
        let error = await #expect(throws: TransferError.self) { try await client.send(TransferRequest(url: url)) }
        let codes: [TransferError.Code] = [.invalidRequest, .invalidResponse, .resolveFailed]
        #expect(error.map { codes.contains($0.code) } == true)
    }

    @Test func blindTrustIsForLoopbackOnly() async throws {
        let client = try HTTPClient()
        let hosts = ["localhost.example.com", "127.0.0.1.example.com", "example.com"]
        for host in hosts {
            let request = TransferRequest(url: "https://\(host)/", tls: .init(trust: .anyoneOnLoopback))
            let error = await #expect(throws: TransferError.self) { try await client.send(request) }
            #expect(error?.code == .invalidRequest)
        }
    }

    @Test func peersNeverShowCredentials() {
        #expect(TransferRequest(url: "http://user:pass@host:8080/p?q=secret").peer == "host:8080")
        #expect(TransferRequest(url: "http://host?token=secret").peer == "host")
        #expect(TransferRequest(url: "http://[::1]:80/x@y").peer == "[::1]:80")
    }
}
