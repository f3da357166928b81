import FoundationEssentials
import HTTPTypes
import HummingbirdTesting
import Postgres
import TestSupport
import Testing

@testable import PassportService

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(3)))
struct PageTests {
    @Test func signingInStartsANewSessionAndSigningOutEndsIt() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let browser = TestBrowser(site)
            browser.setCookie("passport_session", "planted")
            let page = try await browser.signIn()
            #expect(page.status == .seeOther && page.location == "/user/account")
            let cookie = try #require(page.headers[values: .setCookie].first { $0.hasPrefix("passport_session=") })
            #expect(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("planted"))
            let session = try #require(browser.cookies["passport_session"])
            let account = try await browser.get("/user/account")
            #expect(account.text.contains("Ada Lovelace"))
            let out = try await browser.submit(account, to: "/user/logout", [])
            #expect(out.status == .seeOther)
            browser.setCookie("passport_session", session)
            #expect(try await browser.get("/user/account").location == "/user/login?next=/user/account")
        }
    }

    @Test func cookiesDemandTLSWhenTheIssuerHasIt() async throws {
        try await withPassport(variables: ["OIDC_ISSUER": "https://passport.example.test/oauth"]) { site async throws in
            try await site.addUser()
            let browser = TestBrowser(site)
            let page = try await browser.signIn()
            let cookies = page.headers[values: .setCookie]
            #expect(cookies.count == 2)
            #expect(cookies.allSatisfy { $0.hasPrefix("__Host-") && $0.contains("; Secure") })
            #expect(page.headers[.strictTransportSecurity] != nil)
        }
    }

    /// Pages carry no script, and the browser is told to run none that somebody smuggles in.
    @Test(arguments: ["/user/login", "/user/login?next=/user/account", "/user/registration", "/user/account"])
    func pagesWorkWithoutScripts(_ path: String) async throws {
        try await withPassport(variables: ["PASSPORT_REGISTRATION": "open"]) { site async throws in
            try await site.addUser()
            let browser = TestBrowser(site)
            if path == "/user/account" { try await browser.signIn() }
            let page = try await browser.get(path)
            #expect(page.status == .ok)
            let text = page.text.lowercased()
            #expect(text.contains("<form"))
            #expect(!text.contains("<script") && !text.contains("javascript:") && !text.contains(" onclick"))
            let policy = try #require(page.headers[.contentSecurityPolicy])
            #expect(policy.hasPrefix("default-src 'none'") && !policy.contains("script-src"))
            #expect(policy.contains("frame-ancestors 'none'"))
        }
    }

    /// Known and unknown names must look the same.
    @Test func refusalsTellNothing() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let pages = try await [("ada", "wrong password"), ("nobody", "wrong password"), ("nobody\u{0}", "x")]
                .asyncMap {
                    try await TestBrowser(site).signIn($0.0, password: $0.1)
                }
            #expect(pages[0].status == .unprocessableContent && pages[1].status == .unprocessableContent)
            #expect(pages[0].text.contains("The username or password is wrong."))
            #expect(pages[1].text.contains("The username or password is wrong."))
            #expect(pages[2].status == .badRequest)
        }
    }

    @Test func formsOfStrangersAreRefused() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let attacker = TestBrowser(site)
            let token = try await attacker.get("/user/login").field("form_token")
            let victim = TestBrowser(site)
            _ = try await victim.get("/user/login")
            let fields = [("username", "ada"), ("password", PassportSite.password)]
            #expect(try await victim.post("/user/login", fields).status == .forbidden)
            #expect(try await victim.post("/user/login", [("form_token", token)] + fields).status == .forbidden)
            #expect(
                try await TestBrowser(site).post("/user/login", [("form_token", token)] + fields).status == .forbidden)
            try await victim.signIn()
            for path in ["/user/logout", "/user/account/password", "/user/account/sessions"] {
                #expect(try await victim.post(path, [("form_token", token)]).status == .forbidden)
            }
        }
    }

    /// A token shown before the sign-in is worth nothing after it.
    @Test func formTokensAreBoundToTheSession() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let browser = TestBrowser(site)
            let before = try await browser.get("/user/login").field("form_token")
            try await browser.signIn()
            #expect(try await browser.post("/user/logout", [("form_token", before)]).status == .forbidden)
        }
    }

    @Test(arguments: [
        "https://evil.test/", "//evil.test/", "/\\evil.test", "/user/account@evil.test", "javascript:alert(1)",
        "/oauth/authorize/../../evil", "/user/account\r\nSet-Cookie: x=1", "/nowhere", "", "/oauth/token/",
    ])
    func theReturnPathStaysWithUs(path: String) {
        #expect(ReturnPath(path).text == "/user/account")
    }

    @Test func pagesEscapeWhatTheyShow() async throws {
        try await withPassport { site async throws in
            let browser = TestBrowser(site)
            let page = try await browser.signIn("\"><script>alert(1)</script>", password: "x")
            #expect(!page.text.contains("<script>"))
            #expect(page.text.contains("&lt;script&gt;"))
            let policy = try #require(page.headers[.contentSecurityPolicy])
            #expect(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"))
            #expect(page.headers[HTTPField.Name.frameOptions] == "DENY")
            #expect(page.headers[HTTPField.Name.referrerPolicy] == "no-referrer")
            let hint = try await browser.get(
                "/user/login?next=" + "/oauth/authorize/?login_hint=%2522%253E%253Cscript%253E")
            #expect(!hint.text.contains("<script>"))
        }
    }

    @Test func signInsAreLimitedByAddress() async throws {
        try await withPassport(.live) { site async throws in
            try await site.addUser()
            let attacker = TestBrowser(site)
            attacker.address = "203.0.113.9"
            for index in 0..<30 {
                #expect(try await attacker.signIn("user\(index)", password: "wrong").status == .unprocessableContent)
            }
            let page = try await attacker.signIn("someone", password: "wrong")
            #expect(page.status == .tooManyRequests)
            #expect(page.headers[.retryAfter] == "5")
            let other = TestBrowser(site)
            other.address = "203.0.113.10"
            #expect(try await other.signIn().status == .seeOther)
        }
    }

    @Test func registrationIsClosedUnlessOpened() async throws {
        try await withPassport { site async throws in
            let browser = TestBrowser(site)
            #expect(try await browser.get("/user/registration").status == .forbidden)
            #expect(try await browser.post("/user/registration", [("username", "eve")]).status == .forbidden)
            #expect(try await !browser.get("/user/login").text.contains("/user/registration"))
        }
    }

    @Test func aRegisteredPersonIsSignedIn() async throws {
        try await withPassport(variables: ["PASSPORT_REGISTRATION": "open"]) { site async throws in
            let browser = TestBrowser(site)
            func register(_ name: String, _ password: String, again: String? = nil) async throws -> TestBrowser.Page {
                let page = try await browser.get("/user/registration")
                return try await browser.submit(
                    page, to: "/user/registration",
                    [
                        ("username", name), ("email", "\(name)@example.test"), ("password", password),
                        ("password_again", again ?? password),
                    ])
            }
            #expect(try await register("grace", "short").text.contains("at least 8 characters"))
            #expect(try await register("grace", "long enough", again: "different").text.contains("passwords differ"))
            #expect(try await register("kube-system", "long enough").text.contains("reserved"))
            #expect(try await register("no spaces", "long enough").status == .unprocessableContent)
            #expect(try await register("grace", "grace@example.test").status == .unprocessableContent)
            #expect(try await register("grace", "long enough").location == "/user/account")
            #expect(try await browser.get("/user/account").text.contains("grace@example.test"))
            #expect(try await register("Grace", "long enough").text.contains("already exists"))
            #expect(try await site.count("SELECT count(*) AS count FROM users WHERE is_superuser OR is_staff") == 0)
        }
    }

    @Test func changingThePasswordEndsEverythingElse() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let application = TestApplication(site: site)
            let here = TestBrowser(site)
            let there = TestBrowser(site)
            try await here.signIn()
            try await there.signIn()
            let tokens = try await application.trade(try await application.code(there))
            let page = try await here.get("/user/account")
            let wrong = try await here.submit(
                page, to: "/user/account/password",
                [("password", "wrong one"), ("new_password", "new secret 1"), ("new_password_again", "new secret 1")])
            #expect(wrong.text.contains("current password is wrong"))
            let changed = try await here.submit(
                page, to: "/user/account/password",
                [
                    ("password", PassportSite.password), ("new_password", "new secret 1"),
                    ("new_password_again", "new secret 1"),
                ])
            #expect(changed.location == "/user/account?changed=1")
            #expect(try await here.get("/user/account?changed=1").text.contains("has been changed"))
            #expect(try await there.get("/user/account").status == .seeOther)
            #expect(try await application.userInfo(try tokens.text("access_token")).status == .unauthorized)
            #expect(try await TestBrowser(site).signIn().status == .unprocessableContent)
            #expect(try await TestBrowser(site).signIn(password: "new secret 1").status == .seeOther)
        }
    }

    @Test func clientsMayEndTheSession() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let application = TestApplication(site: site)
            let browser = TestBrowser(site)
            try await browser.signIn()
            let tokens = try await application.trade(try await application.code(browser))
            let hint = try tokens.text("id_token")
            let asked = try await browser.get("/oauth/logout/?client_id=controller")
            #expect(asked.status == .ok && asked.text.contains("Sign out"))
            let evil = try await browser.get(
                "/oauth/logout/?id_token_hint=\(hint)x&post_logout_redirect_uri=http%3A%2F%2Fevil.test%2F")
            #expect(evil.status == .ok && evil.location == nil)
            let out = try await browser.get(
                "/oauth/logout/?id_token_hint=\(hint)"
                    + "&post_logout_redirect_uri=http%3A%2F%2Fdrycc.example.test%2Fbye&state=s"
            )
            #expect(out.location == "http://drycc.example.test/bye?state=s")
            #expect(try await browser.get("/user/account").status == .seeOther)
        }
    }

    @Test func sessionsExpire() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let browser = TestBrowser(site)
            try await browser.signIn()
            site.time.advance(by: 1_209_601)
            #expect(try await browser.get("/user/account").status == .seeOther)
            #expect(try await site.housekeeping.sweep() >= 1)
            #expect(try await site.count("SELECT count(*) AS count FROM sessions") == 0)
        }
    }

    @Test func theDonePageSendsPeopleBackToTheTerminal() async throws {
        try await withPassport { site async throws in
            #expect(try await TestBrowser(site).get("/user/login/done/").text.contains("return to the terminal"))
            #expect(try await TestBrowser(site).get("/no/such/page").status == .notFound)
        }
    }
}

extension Array {
    func asyncMap<Value>(_ transform: (Element) async throws -> Value) async throws -> [Value] {
        var values: [Value] = []
        for element in self { values.append(try await transform(element)) }
        return values
    }
}
