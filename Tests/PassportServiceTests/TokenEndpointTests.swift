import FoundationEssentials
import HTTPTypes
import HummingbirdTesting
import NIOCore
import OpenSSLCrypto
import PlatformModel
import Postgres
import TestSupport
import Testing

@testable import PassportService

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(3)))
struct TokenEndpointTests {
    private func login(_ application: TestApplication, _ site: PassportSite) async throws -> [String: JSONValue] {
        try await application.call(
            "/oauth/token/", ["grant_type": "password", "username": "ada", "password": PassportSite.password]
        ).json
    }

    @Test func refreshTokensRotateAndReuseEndsTheFamily() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let application = TestApplication(site: site)
            let first = try await login(application, site)
            let second = try await application.refresh(try first.text("refresh_token"))
            let third = try await application.refresh(try second.text("refresh_token"))
            #expect(try await application.userInfo(try third.text("access_token")).status == .ok)
            let stolen = try await application.refresh(try first.text("refresh_token"))
            #expect(stolen["error"]?.stringValue == "invalid_grant")
            let rightful = try await application.refresh(try third.text("refresh_token"))
            #expect(rightful["error"]?.stringValue == "invalid_grant")
            #expect(try await application.userInfo(try third.text("access_token")).status == .unauthorized)
        }
    }

    @Test func aRefreshMayNarrowTheScopeButNotWidenIt() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let application = TestApplication(site: site)
            let first = try await application.call(
                "/oauth/token/",
                [
                    "grant_type": "password", "username": "ada", "password": PassportSite.password,
                    "scope": "openid profile",
                ]
            ).json
            let wider = try await application.refresh(try first.text("refresh_token"), scope: "openid email")
            #expect(wider["error"]?.stringValue == "invalid_scope")
            let narrow = try await application.refresh(try first.text("refresh_token"), scope: "openid")
            #expect(narrow["scope"]?.stringValue == "openid")
            let again = try await application.refresh(try narrow.text("refresh_token"))
            #expect(again["scope"]?.stringValue == "openid profile")
        }
    }

    @Test func aRefreshTokenExpiresAndBelongsToItsClient() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let application = TestApplication(site: site)
            let tokens = try await login(application, site)
            let token = try tokens.text("refresh_token")
            let other = TestApplication(site: site, id: "native", secret: nil)
            #expect(try await other.refresh(token)["error"]?.stringValue == "invalid_grant")
            site.time.advance(by: 5_184_001)
            #expect(try await application.refresh(token)["error"]?.stringValue == "invalid_grant")
        }
    }

    @Test func clientsGetTokensForThemselvesWithinTheirScopes() async throws {
        try await withPassport { site async throws in
            let builder = TestApplication(site: site, id: "builder", secret: "builder-secret-012345")
            let reply = try await builder.call("/oauth/token", ["grant_type": "client_credentials"])
            #expect(reply.status == .ok)
            #expect(reply.headers[.cacheControl] == "no-store")
            #expect(reply.json["scope"]?.stringValue == "controller:hook")
            #expect(reply.json["refresh_token"] == nil && reply.json["id_token"] == nil)
            for scope in ["logger:read", "openid", "controller:hook openid", "a\"b"] {
                let refused = try await builder.call(
                    "/oauth/token/", ["grant_type": "client_credentials", "scope": scope])
                #expect(refused.status == .badRequest)
                #expect(refused.json["error"]?.stringValue == "invalid_scope")
            }
            let controller = TestApplication(site: site)
            let own = try await controller.call("/oauth/token/", ["grant_type": "client_credentials"])
            #expect(own.json["scope"]?.stringValue == "introspection logger:read")
        }
    }

    @Test func grantsAreEnforcedPerClient() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let builder = TestApplication(site: site, id: "builder", secret: "builder-secret-012345")
            let login = ["grant_type": "password", "username": "ada", "password": PassportSite.password]
            #expect(try await builder.call("/oauth/token/", login).json["error"]?.stringValue == "unauthorized_client")
            #expect(
                try await builder.call("/oauth/token/", ["grant_type": "implicit"]).json["error"]?.stringValue
                    == "unsupported_grant_type")
        }
    }

    @Test func clientsProveThemselvesByOneMethod() async throws {
        try await withPassport { site async throws in
            var shop = TestApplication(site: site, id: "shop", secret: "shop+secret/with:odd %chars")
            let known = try await shop.call("/oauth/token/", ["grant_type": "refresh_token", "refresh_token": "x"])
            #expect(known.json["error"]?.stringValue == "invalid_grant")
            shop.secret = "wrong"
            let wrong = try await shop.call("/oauth/token/", ["grant_type": "refresh_token"])
            #expect(wrong.status == .unauthorized)
            #expect(wrong.headers[.wwwAuthenticate]?.hasPrefix("Basic") == true)
            shop.secret = nil
            let missing = try await shop.call("/oauth/token/", ["grant_type": "refresh_token"])
            #expect(missing.status == .unauthorized && missing.json["error"]?.stringValue == "invalid_client")
            let inBody = try await shop.call(
                "/oauth/token/",
                ["grant_type": "refresh_token", "refresh_token": "x", "client_secret": "shop+secret/with:odd %chars"])
            #expect(inBody.json["error"]?.stringValue == "invalid_grant")
            shop.secret = "shop+secret/with:odd %chars"
            let both = try await shop.call("/oauth/token/", ["grant_type": "refresh_token", "client_secret": "x"])
            #expect(both.json["error"]?.stringValue == "invalid_request")
        }
    }

    private static let malformedBodies = [
        ("grant_type=client_credentials&grant_type=password", "application/x-www-form-urlencoded"),
        ("{\"grant_type\":\"password\"}", "application/json"), ("grant_type=%zz", "application/x-www-form-urlencoded"),
        ("grant_type=%ff%fe", "application/x-www-form-urlencoded"),
        ("grant_type=a%00b", "application/x-www-form-urlencoded"),
    ]

    @Test func malformedBodiesAreRefused() async throws {
        try await withPassport { site async throws in
            for (body, type) in Self.malformedBodies {
                let response = try await site.client.executeRequest(
                    uri: "/oauth/token/", method: .post, headers: [.contentType: type], body: ByteBuffer(string: body))
                #expect(response.status == .badRequest)
                #expect(String(buffer: response.body).contains("\"error\":\"invalid_request\""))
            }
        }
    }

    @Test func anOversizedBodyIsRefused() async throws {
        try await withPassport { site async throws in
            let response = try await site.client.executeRequest(
                uri: "/oauth/token/", method: .post, headers: [.contentType: "application/x-www-form-urlencoded"],
                body: ByteBuffer(string: "token=" + String(repeating: "a", count: 100_000)))
            #expect(response.status == .contentTooLarge)
        }
    }

    @Test func wrongPasswordsAreLimitedByAccountAcrossReplicas() async throws {
        try await withPassportDatabase { url in
            let time = MovableTime()
            try await withReplica(url: url, time: time) { first in
                try await first.addUser()
                try await first.addUser("bob")
                try await withReplica(url: url, time: time) { second in
                    let applications = [TestApplication(site: first), TestApplication(site: second)]
                    let wrong = ["grant_type": "password", "username": "ADA", "password": "wrong password"]
                    for index in 0..<10 {
                        let reply = try await applications[index % 2].call("/oauth/token/", wrong)
                        #expect(reply.status == .badRequest && reply.json["error"]?.stringValue == "invalid_grant")
                    }
                    for application in applications {
                        let right = ["grant_type": "password", "username": "ada", "password": PassportSite.password]
                        let reply = try await application.call("/oauth/token/", right)
                        #expect(reply.status == .tooManyRequests)
                        #expect(reply.headers[.retryAfter] == "30")
                        let other = ["grant_type": "password", "username": "bob", "password": PassportSite.password]
                        #expect(try await application.call("/oauth/token/", other).status == .ok)
                    }
                    time.advance(by: 31)
                    let right = ["grant_type": "password", "username": "ada", "password": PassportSite.password]
                    #expect(try await applications[1].call("/oauth/token/", right).status == .ok)
                }
            }
        }
    }

    @Test func aTokenFromOneReplicaIsGoodAndRevocableAtTheOther() async throws {
        try await withPassportDatabase { url in
            let time = MovableTime()
            try await withReplica(url: url, time: time) { first in
                try await first.addUser()
                try await withReplica(url: url, time: time) { second in
                    let here = TestApplication(site: first)
                    let there = TestApplication(site: second)
                    let tokens = try await login(here, first)
                    #expect(try await there.userInfo(try tokens.text("access_token")).status == .ok)
                    let next = try await there.refresh(try tokens.text("refresh_token"))
                    _ = try await there.call("/oauth/revoke_token/", ["token": try next.text("refresh_token")])
                    #expect(try await here.userInfo(try tokens.text("access_token")).status == .unauthorized)
                }
            }
        }
    }
}
