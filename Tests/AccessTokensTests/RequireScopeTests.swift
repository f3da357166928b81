import AccessTokens
import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Testing

@Suite struct RequireScopeTests {
    private struct HoldingContext: TokenContext {
        var coreContext: CoreRequestContextStorage
        var accessToken: VerifiedToken?

        init(source: ApplicationRequestContextSource) { coreContext = .init(source: source) }
    }

    private struct NoKeys: VerificationKeySource {
        func keys(including keyID: String?) throws(TokenError) -> VerificationKeys {
            throw TokenError(.keysUnavailable, "")
        }
    }

    private func statuses<Context: RequestContext>(
        _ router: Router<Context>, _ tokens: [String?]
    ) async throws -> [(HTTPResponse.Status, String?)] where Context.Source == ApplicationRequestContextSource {
        let application = Application(router: router)
        return try await application.test(.router) { client in
            var results: [(HTTPResponse.Status, String?)] = []
            for token in tokens {
                let headers: HTTPFields = token.map { [.authorization: $0] } ?? [:]
                let response = try await client.executeRequest(uri: "/", method: .get, headers: headers, body: nil)
                results.append((response.status, response.headers[.wwwAuthenticate]))
            }
            return results
        }
    }

    private func tokens(_ keys: SigningKeys) throws -> [String?] {
        var hook = goodClaims()
        hook.scope = ["controller:hook"]
        let right = try keys.accessToken(hook)
        let narrow = try keys.accessToken(goodClaims())
        return [
            nil, "Basic YTpi", "Bearer \(right)", "bearer \(right)", "Bearer \(narrow)", "Bearer \(right)x", "Bearer x",
        ]
    }

    @Test func aRouteGroupAsksForItsScope() async throws {
        let keys = try await SigningKeys.generate()
        let verifier = AccessTokenVerifier(keys: keys, issuer: "https://issuer.test/oauth")
        let plain = Router()
        plain.group().add(middleware: RequireScope("controller:hook", verifier: verifier))
            .get("/") { _, _ in "in" }
        let aware = Router(context: HoldingContext.self)
        aware.group().add(middleware: BearerAuthentication(verifier: verifier))
            .add(middleware: RequireScope("controller:hook"))
            .get("/") { _, context in context.accessToken?.subject ?? "" }
        for results in [try await statuses(plain, try tokens(keys)), try await statuses(aware, try tokens(keys))] {
            #expect(
                results.map(\.0)
                    == [.unauthorized, .unauthorized, .ok, .ok, .forbidden, .unauthorized, .unauthorized])
            #expect(results[0].1 == "Bearer")
            #expect(results[4].1 == "Bearer error=\"insufficient_scope\", scope=\"controller:hook\"")
            #expect(results[6].1 == "Bearer error=\"invalid_token\"")
        }
    }

    @Test func anIssuerThatIsAwayIsNotTheCallersFault() async throws {
        let keys = try await SigningKeys.generate()
        let router = Router()
        let verifier = AccessTokenVerifier(keys: NoKeys(), issuer: "https://issuer.test/oauth")
        router.group().add(middleware: RequireScope("controller:hook", verifier: verifier)).get("/") { _, _ in "in" }
        let token = try keys.accessToken(goodClaims())
        #expect(try await statuses(router, ["Bearer \(token)"]).map(\.0) == [.serviceUnavailable])
    }
}
