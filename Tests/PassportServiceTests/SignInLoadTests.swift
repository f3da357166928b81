import AccessTokens
import ConcurrencyPrimitives
import CurlTransfer
import HTTPTypes
import HummingbirdTesting
import OpenSSLCrypto
import TestSupport
import Testing

@testable import PassportService

/// Many passwords at once.
@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(3)))
struct SignInLoadTests {
    private static let signIns = 16

    /// A password costs 32 MiB and a good part of a tenth of a second, so it is computed on threads made for that.
    /// While these are taken, all who sign in wait for them, and everybody else gets answers.
    @Test func passwordsBeingCheckedHoldUpNobodyElse() async throws {
        let threads = BlockingThreads(label: "password-hash", count: 1, queueLimit: Self.signIns)
        try await withPassport(.live, passwords: PasswordHash(threads: threads, cost: 4)) { site async throws in
            let base = "http://127.0.0.1:\(try #require(site.client.port))"
            let client = try HTTPClient()
            let (isTaken, isFree) = (ConditionLocked(false), ConditionLocked(false))
            let statuses = ConditionLocked<[Int]>([])
            try await withThrowingTaskGroup(of: Void.self) { group in
                // Whatever happens, nobody waits for ever.
                defer { isFree.update { $0 = true } }
                group.addTask {
                    try await threads.run {
                        isTaken.update { $0 = true }
                        isFree.wait { $0 ? () : nil }
                    }
                }
                try await eventually("the thread is taken") { isTaken.update { $0 } }
                for number in 0...Self.signIns {
                    group.addTask {
                        let status = try await signIn("nobody\(number)", at: base, client)
                        statuses.update { $0.append(status) }
                    }
                }
                // One is too many, so all others wait.
                try await eventually("one is sent away") { statuses.update { $0 } == [503] }
                for path in ["/healthz", "/oauth/.well-known/jwks.json", "/user/login"] {
                    #expect(try await client.send(TransferRequest(url: base + path)).status == 200)
                }
                #expect(statuses.update { $0 } == [503])
                isFree.update { $0 = true }
                try await group.waitForAll()
            }
            #expect(statuses.update { $0 } == [503] + Array(repeating: 400, count: Self.signIns))
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
