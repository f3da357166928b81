import AccessTokens
import FoundationEssentials
import HTTPTypes
import HummingbirdTesting
import NIOCore
import PlatformModel
import Postgres
import TestSupport
import Testing

@testable import PassportService

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(3)))
struct InspectionTests {
    private func login(_ application: TestApplication) async throws -> [String: JSONValue] {
        try await application.call(
            "/oauth/token/", ["grant_type": "password", "username": "ada", "password": PassportSite.password]
        ).json
    }

    @Test func introspectionTellsTrustedClientsEverything() async throws {
        try await withPassport { site async throws in
            let user = try await site.addUser()
            let application = TestApplication(site: site)
            let tokens = try await login(application)
            let access = try await application.call("/oauth/introspect/", ["token": try tokens.text("access_token")])
                .json
            #expect(access["active"]?.boolValue == true)
            #expect(access["scope"]?.stringValue == "email openid profile")
            #expect(access["sub"]?.stringValue == user.subject)
            let refresh = try await application.call(
                "/oauth/introspect/", ["token": try tokens.text("refresh_token")]
            ).json
            #expect(refresh["active"]?.boolValue == true)
            let builder = TestApplication(site: site, id: "builder", secret: "builder-secret-012345")
            let foreign = try await builder.call("/oauth/introspect/", ["token": try tokens.text("access_token")]).json
            #expect(foreign == ["active": false])
            let own = try await builder.call("/oauth/token/", ["grant_type": "client_credentials"]).json
            let mine = try await builder.call("/oauth/introspect/", ["token": try own.text("access_token")]).json
            #expect(mine["scope"]?.stringValue == "controller:hook")
        }
    }

    @Test func aTokenWithTheScopeMayAskToo() async throws {
        try await withPassport { site async throws in
            let application = TestApplication(site: site)
            let builder = TestApplication(site: site, id: "builder", secret: "builder-secret-012345")
            let grant = ["grant_type": "client_credentials"]
            let trusted = try await application.call("/oauth/token/", grant).json.text("access_token")
            let plain = try await builder.call("/oauth/token/", grant).json.text("access_token")
            let answer = try await application.call(
                "/oauth/introspect/", ["token": plain], headers: [.authorization: "Bearer \(trusted)"])
            #expect(answer.json["client_id"]?.stringValue == "builder")
            let refused = try await builder.call(
                "/oauth/introspect/", ["token": trusted], headers: [.authorization: "Bearer \(plain)"])
            #expect(refused.status == .forbidden)
            let forged = try await builder.call(
                "/oauth/introspect/", ["token": trusted], headers: [.authorization: "Bearer \(plain)x"])
            #expect(forged.status == .unauthorized)
        }
    }

    @Test(arguments: ["", "garbage", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
    func whatIsNoTokenIsInactive(text: String) async throws {
        try await withPassport { site async throws in
            let application = TestApplication(site: site)
            let reply = try await application.call("/oauth/introspect/", ["token": text])
            if text.isEmpty {
                #expect(reply.status == .badRequest)
            } else {
                #expect(reply.json == ["active": false])
            }
            #expect(
                try await application.call("/oauth/revoke_token/", ["token": text.isEmpty ? "x" : text]).status == .ok)
        }
    }

    @Test func revokingAnAccessTokenEndsItAlone() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let application = TestApplication(site: site)
            let tokens = try await login(application)
            let token = try tokens.text("access_token")
            let thief = TestApplication(site: site, id: "builder", secret: "builder-secret-012345")
            #expect(try await thief.call("/oauth/revoke_token/", ["token": token]).status == .ok)
            #expect(try await application.userInfo(token).status == .ok)
            #expect(try await application.call("/oauth/revoke_token/", ["token": token]).status == .ok)
            #expect(try await application.userInfo(token).status == .unauthorized)
            let next = try await application.refresh(try tokens.text("refresh_token"))
            #expect(try await application.userInfo(try next.text("access_token")).status == .ok)
        }
    }

    @Test func userInfoFollowsTheScopesAndTheAccount() async throws {
        try await withPassport { site async throws in
            let user = try await site.addUser()
            let application = TestApplication(site: site)
            let narrow = try await application.call(
                "/oauth/token/",
                ["grant_type": "password", "username": "ada", "password": PassportSite.password, "scope": "openid"])
            let token = try narrow.json.text("access_token")
            #expect(try await application.userInfo(token).json == ["sub": .string(user.subject)])
            let client = try await application.call("/oauth/token/", ["grant_type": "client_credentials"]).json
            #expect(try await application.userInfo(try client.text("access_token")).status == .unauthorized)
            let identity = try narrow.json.text("id_token")
            #expect(try await application.userInfo(identity).status == .unauthorized)
            try await site.pool.execute("UPDATE users SET is_active = false WHERE id = \(user.id)")
            #expect(try await application.userInfo(token).status == .unauthorized)
            let reply = try await application.refresh(try narrow.json.text("refresh_token"))
            #expect(reply["error"]?.stringValue == "invalid_grant")
        }
    }

    @Test func userInfoTakesTheTokenInHeaderOrBodyButNotInTheAddress() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            var application = TestApplication(site: site)
            let token = try await login(application).text("access_token")
            application.secret = nil
            #expect(try await application.call("/oauth/userinfo/", ["access_token": token]).status == .ok)
            let header: HTTPFields = [.authorization: "bearer \(token)"]
            let posted = try await site.client.executeRequest(
                uri: "/oauth/userinfo", method: .post, headers: header, body: nil)
            #expect(posted.status == .ok)
            let query = try await site.client.executeRequest(
                uri: "/oauth/userinfo/?access_token=\(token)", method: .get, headers: [:], body: nil)
            #expect(query.status == .unauthorized)
            #expect(query.headers[.wwwAuthenticate] == "Bearer")
        }
    }
}
