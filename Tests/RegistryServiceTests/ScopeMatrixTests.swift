import AccessTokens
import HTTPTypes
import OCIRegistry
import OpenSSLCrypto
import PlatformModel
import Testing

@testable import RegistryService

/// Every request with every token on every repository: what may succeed does not depend on the code under test.
@Suite struct ScopeMatrixTests {
    private struct Case: Sendable {
        let method: HTTPRequest.Method
        let path: String
        /// What the specification's table asks of the token, by repository; empty for any valid token.
        let needs: [RegistryAccess]
    }

    private struct Token: Sendable {
        let label: String
        let access: [RegistryAccess]?

        func allows(_ needs: [RegistryAccess]) -> Bool {
            guard let access else { return false }
            return needs.allSatisfy { need in
                need.actions.allSatisfy { action in
                    access.contains {
                        $0.type == need.type && $0.name == need.name
                            && ($0.actions.contains(action) || $0.actions.contains("*"))
                    }
                }
            }
        }
    }

    private static let digest = ImageDigest(of: Array("absent".utf8))
    private static let upload = String(repeating: "0", count: 32)
    private static let names = ["a", "a/b", "ab"]

    private static func cases(_ name: String) -> [Case] {
        func needing(_ actions: String...) -> [RegistryAccess] { [RegistryAccess(name: name, actions: actions)] }
        let base = "/v2/\(name)"
        var cases: [Case] = []
        for path in [
            "blobs/\(digest)", "manifests/v1", "manifests/\(digest)", "tags/list", "referrers/\(digest)",
            "_collection/holds",
        ] {
            for method in [HTTPRequest.Method.get, .head] {
                cases.append(Case(method: method, path: "\(base)/\(path)", needs: needing("pull")))
            }
        }
        for path in ["blobs/\(digest)", "manifests/v1", "manifests/\(digest)"] {
            cases.append(Case(method: .delete, path: "\(base)/\(path)", needs: needing("delete")))
        }
        for path in ["manifests/v1", "manifests/\(digest)"] {
            cases.append(Case(method: .put, path: "\(base)/\(path)", needs: needing("pull", "push")))
        }
        for query in ["", "?digest=\(digest)", "?mount=\(digest)&from=ab", "?mount=\(digest)"] {
            cases.append(Case(method: .post, path: "\(base)/blobs/uploads/\(query)", needs: needing("pull", "push")))
        }
        for method in [HTTPRequest.Method.get, .patch, .put, .delete] {
            let path = "\(base)/blobs/uploads/\(upload)?digest=\(digest)"
            cases.append(Case(method: method, path: path, needs: needing("pull", "push")))
        }
        for method in [HTTPRequest.Method.put, .delete] {
            let path = "\(base)/_collection/holds/\(digest)?holder=x"
            cases.append(Case(method: method, path: path, needs: needing("hold")))
        }
        return cases
    }

    private static func tokens() -> [Token] {
        var tokens = [Token(label: "none", access: nil), Token(label: "empty", access: [])]
        let actions = [
            ["pull"], ["push"], ["delete"], ["hold"], ["pull", "push"], ["pull", "push", "delete"], ["*"], ["admin"],
            [],
        ]
        for name in names + ["*", "a/*", ""] {
            for some in actions {
                tokens.append(Token(label: "\(name) \(some)", access: [RegistryAccess(name: name, actions: some)]))
            }
        }
        tokens.append(Token(label: "split", access: ["pull", "push"].map { RegistryAccess(name: "a", actions: [$0]) }))
        tokens.append(
            Token(label: "catalog", access: [RegistryAccess(type: "registry", name: "catalog", actions: ["*"])]))
        tokens.append(
            Token(label: "other type", access: [RegistryAccess(type: "registry", name: "a", actions: ["*"])]))
        return tokens
    }

    @Test func nothingSucceedsThatTheTokenDoesNotGrant() async throws {
        let key = try KeyPair.generate(.es256)
        let issuer = try await RegistryTokenIssuer(privateKeyPEM: Secret(try key.privatePEM()))
        let authenticator = try await TokenAuthenticator(
            .init(realm: "http://t/", service: "workflow-registry", issuer: "workflow-controller", keysPath: ""),
            publicKeys: key.publicKey.pem)
        var cases = Self.names.flatMap(Self.cases)
        cases.append(
            Case(
                method: .get, path: "/v2/_catalog",
                needs: [RegistryAccess(type: "registry", name: "catalog", actions: ["*"])]))
        cases.append(Case(method: .get, path: "/v2/", needs: []))
        try await RegistryFixture.run(authenticator: authenticator) { [cases] registry in
            var count = 0
            for token in Self.tokens() {
                var headers: HTTPFields = [.contentType: OCIRegistry.MediaType.ociManifest.rawValue]
                if let access = token.access {
                    let text = try issuer.token(subject: "ada", service: "workflow-registry", access: access).token
                    headers[.authorization] = "Bearer \(text.reveal())"
                }
                for item in cases {
                    let reply = try await registry.send(item.method, item.path, headers)
                    let isAllowed = token.allows(item.needs)
                    #expect(
                        (reply.status != 401 && reply.status != 403) == isAllowed,
                        "\(item.method) \(item.path) with \(token.label): \(reply.status)")
                    count += 1
                }
            }
            #expect(count > 4000)
        }
    }
}
