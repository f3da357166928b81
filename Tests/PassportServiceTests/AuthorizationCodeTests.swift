import FoundationEssentials
import HTTPTypes
import PlatformModel
import Postgres
import TestSupport
import Testing

@testable import PassportService

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(3)))
struct AuthorizationCodeTests {
    /// Gives `body` a code that the browser of somebody signed in brought to the client.
    private func withCode(
        for makeApplication: @escaping @Sendable (PassportSite) -> TestApplication = { TestApplication(site: $0) },
        _ body: @escaping @Sendable (PassportSite, TestApplication, String) async throws -> Void
    ) async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let application = makeApplication(site)
            let browser = TestBrowser(site)
            try await browser.signIn()
            try await body(site, application, try await application.code(browser))
        }
    }

    @Test func aPersonSignsInThroughTheFormsAndTheClientGetsTokens() async throws {
        try await withPassport { site async throws in
            let user = try await site.addUser(isAdministrator: true)
            let application = TestApplication(site: site)
            let browser = TestBrowser(site)
            let login = try await browser.get(application.authorizePath())
            #expect(login.status == .seeOther)
            let form = try await browser.get(try #require(login.location))
            #expect(form.text.contains("Sign in"))
            let back = try await browser.submit(
                form, to: "/user/login",
                [("username", "ada"), ("password", PassportSite.password), ("next", try form.field("next"))])
            #expect(back.status == .seeOther)
            let answer = try await browser.get(try #require(back.location))
            #expect(answer.status == .seeOther)
            #expect(try #require(answer.location).hasPrefix(application.redirect + "?"))
            #expect(try answer.answer["state"] == "st&te=1")
            #expect(try answer.answer["iss"] == PassportSite.issuer)
            let tokens = try await application.trade(try #require(try answer.answer["code"]))
            #expect(tokens["token_type"]?.stringValue == "Bearer")
            #expect(tokens["expires_in"]?.integerValue == 3600)
            #expect(tokens["scope"]?.stringValue == "email openid profile")
            let info = try await application.userInfo(try tokens.text("access_token"))
            #expect(info.status == .ok)
            #expect(info.json["sub"]?.stringValue == user.subject)
            #expect(info.json["id"]?.integerValue == user.id)
            #expect(info.json["username"]?.stringValue == "ada")
            #expect(info.json["email"]?.stringValue == "ada@example.test")
            #expect(info.json["is_superuser"]?.boolValue == true)
            let identity = try #require(await site.inspection.identity(try tokens.text("id_token")))
            #expect(identity.nonce == "n-0" && identity.audience == "controller" && identity.subject == user.subject)
        }
    }

    @Test func aCodeWorksOnceAndItsReplayKillsWhatItGave() async throws {
        try await withCode { _, application, code async throws in
            let tokens = try await application.trade(code)
            let token = try tokens.text("access_token")
            #expect(try await application.userInfo(token).status == .ok)
            #expect(try await application.trade(code)["error"]?.stringValue == "invalid_grant")
            #expect(try await application.userInfo(token).status == .unauthorized)
            let refreshed = try await application.refresh(try tokens.text("refresh_token"))
            #expect(refreshed["error"]?.stringValue == "invalid_grant")
        }
    }

    @Test func ofManyRedemptionsAtOnceOneSucceedsAndAllEndDead() async throws {
        try await withCode { _, application, code async throws in
            let replies = try await withThrowingTaskGroup(of: [String: JSONValue].self) { group in
                for _ in 0..<8 { group.addTask { try await application.trade(code) } }
                return try await group.reduce(into: [[String: JSONValue]]()) { $0.append($1) }
            }
            let granted = replies.compactMap { $0["access_token"]?.stringValue }
            #expect(granted.count == 1)
            #expect(try await application.userInfo(try #require(granted.first)).status == .unauthorized)
        }
    }

    private static let changes = [
        ["code": "AAAA"], ["code_verifier": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"], ["code_verifier": "short"],
        ["redirect_uri": "http://drycc.example.test/v2/complete/drycc"],
        ["redirect_uri": "http://drycc.example.test/v2/complete/drycc/?x=1"],
    ]

    @Test func anyChangeToTheTradeIsRefused() async throws {
        try await withCode { _, application, code async throws in
            for change in Self.changes {
                #expect(try await application.trade(code, change)["error"]?.stringValue == "invalid_grant")
            }
            #expect(try await application.trade(code)["access_token"] != nil)
        }
    }

    @Test func missingParametersOfTheTradeAreNamed() async throws {
        try await withPassport { site async throws in
            let application = TestApplication(site: site)
            for name in ["code", "redirect_uri", "code_verifier", "grant_type"] {
                #expect(try await application.trade("x", [name: ""])["error"]?.stringValue == "invalid_request")
            }
        }
    }

    @Test func anotherClientCannotUseACode() async throws {
        try await withCode { site, application, code async throws in
            let thief = TestApplication(site: site, id: "shop", secret: "shop+secret/with:odd %chars")
            #expect(
                try await thief.trade(code, ["code_verifier": application.verifier])["error"]?.stringValue
                    == "invalid_grant")
            #expect(try await application.trade(code)["access_token"] != nil)
        }
    }

    @Test func aCodeExpires() async throws {
        try await withCode { site, application, code async throws in
            site.time.advance(by: 61)
            #expect(try await application.trade(code)["error"]?.stringValue == "invalid_grant")
        }
    }

    @Test func aPublicClientNeedsNoSecretButItsVerifier() async throws {
        try await withCode {
            TestApplication(site: $0, id: "native", secret: nil, redirect: "http://127.0.0.1:51234/back")
        } _: { _, application, code async throws in
            let wrong = try await application.trade(code, ["code_verifier": String(repeating: "a", count: 43)])
            #expect(wrong["error"]?.stringValue == "invalid_grant")
            let tokens = try await application.trade(code)
            #expect(tokens["scope"]?.stringValue == "openid")
        }
    }

    /// Nothing a thief of the database finds is a code, a token or a session.
    @Test func theDatabaseHoldsNoTokens() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let application = TestApplication(site: site)
            let browser = TestBrowser(site)
            try await browser.signIn()
            let code = try await application.code(browser)
            let refresh = try await application.trade(code).text("refresh_token")
            let session = try #require(browser.cookies["passport_session"])
            for secret in [code, refresh, session, PassportSite.password, "PRIVATE KEY"] {
                for table in ["authorization_codes", "refresh_tokens", "sessions", "users", "signing_keys", "clients"] {
                    let count = try await site.count(
                        """
                        SELECT count(*) AS count FROM \(identifier: table) t
                        WHERE strpos(t::text, \(secret)) > 0
                            OR strpos(t::text, encode(\(secret)::text::bytea, 'hex')) > 0
                        """)
                    #expect(count == 0)
                }
            }
        }
    }
}
