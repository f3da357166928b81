import AccessTokens
import HTTPTypes
import OpenSSLCrypto
import PlatformModel
import ServiceRuntime
import Testing

@testable import RegistryService

@Suite struct TokenRoutesTests {
    private struct Tokens {
        let issuer: RegistryTokenIssuer
        let authenticator: TokenAuthenticator

        init() async throws {
            let key = try KeyPair.generate(.es256)
            issuer = try await RegistryTokenIssuer(privateKeyPEM: Secret(try key.privatePEM()))
            authenticator = try await TokenAuthenticator(
                .init(
                    realm: "http://127.0.0.1:8000/v2/registry/token", service: "workflow-registry",
                    issuer: "workflow-controller", keysPath: ""), publicKeys: key.publicKey.pem)
        }

        func bearer(_ access: [RegistryAccess], service: String = "workflow-registry") throws -> HTTPFields {
            let token = try issuer.token(subject: "ada", service: service, access: access)
            return [.authorization: "Bearer \(token.token.reveal())"]
        }
    }

    private static let challenge =
        #"Bearer realm="http://127.0.0.1:8000/v2/registry/token",service="workflow-registry""#

    @Test func withoutATokenTheChallengeNamesTheScope() async throws {
        let tokens = try await Tokens()
        try await RegistryFixture.run(authenticator: tokens.authenticator) { registry in
            let base = try await registry.send(.get, "/v2/")
            #expect(base.status == 401 && base.code == "UNAUTHORIZED")
            #expect(base.headers[.wwwAuthenticate] == Self.challenge)
            let push = try await registry.send(.post, "/v2/shop/shop/blobs/uploads/")
            #expect(
                push.headers[.wwwAuthenticate] == Self.challenge + #",scope="repository:shop/shop:pull,push""#)
        }
    }

    @Test func aTokenOpensWhatItLists() async throws {
        let tokens = try await Tokens()
        try await RegistryFixture.run(authenticator: tokens.authenticator) { registry in
            let push = try tokens.bearer([RegistryAccess(name: "shop/shop", actions: ["pull", "push"])])
            let pull = try tokens.bearer([RegistryAccess(name: "shop/shop", actions: ["pull"])])
            let path = "/v2/shop/shop/blobs/uploads/"
            #expect(try await registry.send(.post, path, push).status == 202)
            let refused = try await registry.send(.post, path, pull)
            #expect(refused.status == 401)
            #expect(refused.headers[.wwwAuthenticate]?.hasSuffix(#",error="insufficient_scope""#) == true)
            #expect(try await registry.send(.get, "/v2/shop/shop/tags/list", pull).status == 404)
            #expect(try await registry.send(.get, "/v2/shop/shop2/tags/list", pull).status == 401)
            #expect(try await registry.send(.get, "/v2/_catalog", push).status == 401)
            #expect(try await registry.send(.delete, "/v2/shop/shop/manifests/v1", push).status == 401)
            #expect(try await registry.send(.get, "/v2/", pull).status == 200)
            #expect(try await registry.send(.get, "/healthz").status == 200)
        }
    }

    @Test func aMountNeedsTheRightToReadItsSource() async throws {
        let tokens = try await Tokens()
        try await RegistryFixture.run(authenticator: tokens.authenticator) { registry in
            let all = ["pull", "push"]
            let owner = try tokens.bearer([RegistryAccess(name: "secret/app", actions: all)])
            let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
            let pushed = try await registry.send(
                .post, "/v2/secret/app/blobs/uploads/?digest=\(digest)", owner, "{}")
            #expect(pushed.status == 201)
            let thief = try tokens.bearer([RegistryAccess(name: "mine/app", actions: all)])
            for query in ["mount=\(digest)&from=secret/app", "mount=\(digest)"] {
                let reply = try await registry.send(.post, "/v2/mine/app/blobs/uploads/?\(query)", thief)
                #expect(reply.status == 202)
            }
            let both = try tokens.bearer([
                RegistryAccess(name: "mine/app", actions: all), RegistryAccess(name: "secret/app", actions: ["pull"]),
            ])
            let reply = try await registry.send(
                .post, "/v2/mine/app/blobs/uploads/?mount=\(digest)&from=secret/app", both)
            #expect(reply.status == 201)
        }
    }

    @Test func foreignAndDamagedTokensAreInvalid() async throws {
        let tokens = try await Tokens()
        let others = try await Tokens()
        try await RegistryFixture.run(authenticator: tokens.authenticator) { registry in
            let access = [RegistryAccess(name: "a", actions: ["pull", "push"])]
            let grant = try tokens.issuer.grant(subject: "x", access: access, lifetime: .seconds(60)).reveal()
            var candidates = [
                try others.bearer(access), try tokens.bearer(access, service: "another"),
                [.authorization: "Bearer \(grant)"], [.authorization: "Bearer x.y.z"], [.authorization: "Bearer"],
                [.authorization: "Basic YTpi"],
            ]
            if let good = try tokens.bearer(access)[.authorization] {
                candidates.append([.authorization: String(good.dropLast(4)) + "AAAA"])
            }
            for headers in candidates {
                let reply = try await registry.send(.post, "/v2/a/blobs/uploads/", headers)
                #expect(reply.status == 401, "\(headers)")
            }
        }
    }
}

@Suite struct HtpasswdRoutesTests {
    /// The password is "correct horse".
    private static let file = """
        # made by htpasswd -nbB -C 5
        ada:$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2
        """

    @Test func onlyTheRightPasswordOpens() async throws {
        let authenticator = try HtpasswdAuthenticator(text: Self.file)
        try await RegistryFixture.run(authenticator: authenticator) { registry in
            let none = try await registry.send(.get, "/v2/")
            #expect(none.status == 401 && none.headers[.wwwAuthenticate] == #"Basic realm="registry", charset="UTF-8""#)
            for (credentials, status) in [
                ("ada:correct horse", 200), ("ada:correct horse", 200), ("ada:wrong", 401), ("bob:correct horse", 401),
                ("ada:", 401), ("ada", 401),
            ] {
                let field = "Basic \(Base64.encode(credentials.utf8))"
                #expect(try await registry.send(.get, "/v2/", [.authorization: field]).status == status)
            }
            #expect(try await registry.send(.get, "/v2/", [.authorization: "Basic %%%"]).status == 401)
        }
    }

    @Test(arguments: ["", "ada", "ada:plain", "ada:$apr1$x$y", "ada:{SHA}x", "# only a comment"])
    func otherFilesAreRefused(_ text: String) {
        #expect(throws: ConfigurationError.self) { try HtpasswdAuthenticator(text: text) }
    }
}
