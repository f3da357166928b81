import AccessTokens
import CurlTransfer
import HTTPTypes
import HummingbirdTesting
import OpenSSLCrypto
import Synchronization
import TestSupport
import Testing

@testable import PassportService

/// How many have ended.
private final class Tally: Sendable {
    private let number = Mutex(0)

    var count: Int { number.withLock { $0 } }
    func add() { number.withLock { $0 += 1 } }
}

/// Many passwords at once.
@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(3)))
struct SignInLoadTests {
    private static let signIns = 16

    /// A password costs 32 MiB and a good part of a tenth of a second in production's strength. Were it computed where
    /// requests are served, every other answer would wait for some of those computations; so between the first and the
    /// last of them other requests would get an answer for every few. They get many.
    @Test func passwordsBeingCheckedHoldUpNobodyElse() async throws {
        try await withPassport(.live, passwordCost: 15) { site async throws in
            let base = "http://127.0.0.1:\(try #require(site.client.port))"
            let client = try HTTPClient()
            let ended = Tally()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<Self.signIns {
                    group.addTask {
                        let status = try await signIn("nobody\(number)", at: base, client)
                        #expect(status == 400)
                        ended.add()
                    }
                }
                // One is done, so the others have their turn or wait for it.
                try await eventually(within: .seconds(60), "one sign-in has ended") { ended.count > 0 }
                var others = 0
                while ended.count < Self.signIns {
                    for path in ["/healthz", "/oauth/.well-known/jwks.json"] {
                        #expect(try await client.send(TransferRequest(url: base + path)).status == 200)
                        others += 1
                    }
                }
                #expect(others > Self.signIns, "\(others) answers during \(Self.signIns) sign-ins")
                try await group.waitForAll()
            }
        }
    }

    /// The token endpoint's answer to a name nobody has, which costs as much as one that somebody has.
    private func signIn(_ name: String, at base: String, _ client: HTTPClient) async throws -> Int {
        let pair = Base64.encode(Array("controller:controller-secret-0123".utf8))
        let form = FormCoding.encode([("grant_type", "password"), ("username", name), ("password", "wrong")])
        return try await client.send(
            TransferRequest(
                method: .post, url: "\(base)/oauth/token/",
                headers: [.authorization: "Basic \(pair)", .contentType: "application/x-www-form-urlencoded"],
                body: .bytes(Array(form.utf8)), timeout: .seconds(150))
        ).status
    }
}
