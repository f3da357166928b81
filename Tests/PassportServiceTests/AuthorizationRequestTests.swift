import FoundationEssentials
import HTTPTypes
import PlatformModel
import TestSupport
import Testing

@testable import PassportService

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(3)))
struct AuthorizationRequestTests {
    /// Addresses that only look like a registered one; following any of them would hand the code to a stranger.
    private static let foreignAddresses = [
        "http://drycc.example.test/v2/complete/drycc", "http://drycc.example.test/v2/complete/drycc/x",
        "http://drycc.example.test/v2/complete/drycc/?x=1", "http://drycc.example.test/v2/complete/drycc/#x",
        "http://drycc.example.test:8080/v2/complete/drycc/", "https://drycc.example.test/v2/complete/drycc/",
        "http://drycc.example.test@evil.test/v2/complete/drycc/", "http://evil.test/v2/complete/drycc/",
        "http://drycc.example.test.evil.test/v2/complete/drycc/", "HTTP://drycc.example.test/v2/complete/drycc/",
        "http://drycc.example.test/v2/complete/../complete/drycc/", "http://drycc.example.test\\@evil.test/",
        "//evil.test",
        "javascript:alert(1)", "http://127.0.0.1/v2/complete/drycc/", " http://drycc.example.test/v2/complete/drycc/",
        "",
    ]

    @Test func onlyTheExactRedirectAddressGetsAnAnswer() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let browser = TestBrowser(site)
            try await browser.signIn()
            for address in Self.foreignAddresses {
                let page = try await browser.get(TestApplication(site: site).authorizePath(["redirect_uri": address]))
                #expect(page.status == .badRequest, "\(address)")
                #expect(page.location == nil, "\(address)")
            }
        }
    }

    @Test(arguments: [
        ("http://127.0.0.1:9999/back", true), ("http://127.0.0.1/back", true), ("http://127.0.0.1:9999/back/", false),
        ("http://localhost:9999/back", false), ("https://127.0.0.1:9999/back", false), ("http://127.0.0.2/back", false),
        ("http://127.0.0.1:99999/back", false), ("http://127.0.0.1:1@evil.test/back", false),
    ])
    func loopbackAddressesMayHaveAnyPort(address: String, isAdmitted: Bool) throws {
        let registered = try #require(RedirectURI("http://127.0.0.1/back"))
        #expect(RedirectURI(address).map(registered.admits) ?? false == isAdmitted)
    }

    private static let mistakes = [
        (["response_type": ""], "invalid_request"), (["response_type": "token"], "unsupported_response_type"),
        (["response_type": "code id_token"], "unsupported_response_type"),
        (["response_mode": "fragment"], "invalid_request"),
        (["code_challenge": ""], "invalid_request"), (["code_challenge": "short"], "invalid_request"),
        (["code_challenge_method": "plain"], "invalid_request"), (["code_challenge_method": ""], "invalid_request"),
        (["scope": "logger:read"], "invalid_scope"), (["scope": "controller:hook"], "invalid_scope"),
        (["prompt": "none"], "login_required"), (["prompt": "none login"], "invalid_request"),
        (["prompt": "dance"], "invalid_request"), (["max_age": "soon"], "invalid_request"),
        (["request": "x.y.z"], "request_not_supported"),
        (["request_uri": "https://x.test"], "request_uri_not_supported"),
    ]

    @Test func otherMistakesGoBackToTheClientWithItsState() async throws {
        try await withPassport { site async throws in
            for (change, error) in Self.mistakes {
                let page = try await TestBrowser(site).get(TestApplication(site: site).authorizePath(change))
                #expect(page.status == .seeOther)
                #expect(try #require(page.location).hasPrefix("http://drycc.example.test/v2/complete/drycc/?"))
                #expect(try page.answer["error"] == error)
                #expect(try page.answer["state"] == "st&te=1")
                #expect(try page.answer["iss"] == PassportSite.issuer)
                #expect(try page.answer["code"] == nil)
            }
        }
    }

    @Test func repeatedParametersAreRefused() async throws {
        try await withPassport { site async throws in
            let path = TestApplication(site: site).authorizePath()
            let browser = TestBrowser(site)
            #expect(try await browser.get(path + "&scope=openid").answer["error"] == "invalid_request")
            #expect(try await browser.get(path + "&redirect_uri=http%3A%2F%2Fevil.test").status == .badRequest)
            #expect(try await browser.get(path + "&client_id=shop").status == .badRequest)
            #expect(try await browser.get("/oauth/authorize/?client_id=%zz").status == .badRequest)
            #expect(try await browser.get("/oauth/authorize/?client_id=nobody").status == .badRequest)
        }
    }

    @Test func unknownParametersAndScopesAreIgnored() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let browser = TestBrowser(site)
            try await browser.signIn()
            let application = TestApplication(site: site)
            let code = try await application.code(
                browser,
                ["scope": "openid address phone profile", "ui_locales": "de", "display": "popup", "foo": "bar"])
            #expect(try await application.trade(code)["scope"]?.stringValue == "openid profile")
        }
    }

    @Test func aPostedRequestIsTakenUpAsAGet() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let browser = TestBrowser(site)
            try await browser.signIn()
            let path = TestApplication(site: site).authorizePath()
            let query = try #require(OAuthParameters(query: String(path.drop { $0 != "?" }.dropFirst())))
            let page = try await browser.post("/oauth/authorize/", query.pairs)
            #expect(page.status == .seeOther)
            #expect(try await browser.get(try #require(page.location)).answer["code"] != nil)
        }
    }

    @Test func promptAndMaximumAgeDemandAFreshSignIn() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let browser = TestBrowser(site)
            try await browser.signIn()
            let application = TestApplication(site: site)
            site.time.advance(by: 100)
            #expect(try await browser.get(application.authorizePath(["prompt": "none"])).answer["code"] != nil)
            #expect(try await browser.get(application.authorizePath(["max_age": "10000"])).answer["code"] != nil)
            for change in [["prompt": "login"], ["max_age": "50"], ["max_age": "0"], ["prompt": "select_account"]] {
                let page = try await browser.get(application.authorizePath(change))
                let location = try #require(page.location)
                #expect(location.hasPrefix("/user/login?next="))
                let form = try await browser.get(location)
                let back = try await browser.signIn(next: try form.field("next"))
                #expect(try await browser.get(try #require(back.location)).answer["code"] != nil)
                site.time.advance(by: 100)
            }
        }
    }

    @Test func thirdPartiesNeedConsentOnceAndAgainForMore() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let application = TestApplication(
                site: site, id: "shop", secret: "shop+secret/with:odd %chars", redirect: "https://shop.test/other?x=1")
            let browser = TestBrowser(site)
            try await browser.signIn()
            let narrow = application.authorizePath(["scope": "openid"])
            #expect(
                try await browser.get(application.authorizePath(["scope": "openid", "prompt": "none"])).answer["error"]
                    == "consent_required")
            let page = try await browser.get(narrow)
            #expect(page.status == .ok)
            #expect(page.text.contains("&lt;b&gt;Shop&lt;/b&gt;") && !page.text.contains("<b>Shop"))
            let policy = try #require(page.headers[.contentSecurityPolicy])
            #expect(policy.contains("form-action 'self' https://shop.test;"))
            let request = try page.field("request")
            let refused = try await browser.submit(
                page, to: "/oauth/authorize/consent", [("request", request), ("decision", "deny")])
            #expect(try refused.answer["error"] == "access_denied")
            let allowed = try await browser.submit(
                page, to: "/oauth/authorize/consent", [("request", request), ("decision", "allow")])
            #expect(try #require(allowed.location).hasPrefix("https://shop.test/other?x=1&code="))
            #expect(try await application.trade(try #require(try allowed.answer["code"]))["access_token"] != nil)
            #expect(try await browser.get(narrow).answer["code"] != nil)
            #expect(try await browser.get(application.authorizePath()).status == .ok)
            #expect(
                try await browser.get(application.authorizePath(["scope": "openid", "prompt": "consent"])).status == .ok
            )
        }
    }

    /// The consent form is proof of a click: a foreign page must not be able to send it.
    @Test func consentCannotBeForged() async throws {
        try await withPassport { site async throws in
            try await site.addUser()
            let application = TestApplication(
                site: site, id: "shop", secret: "shop+secret/with:odd %chars", redirect: "https://shop.test/back")
            let victim = TestBrowser(site)
            try await victim.signIn()
            let page = try await victim.get(application.authorizePath())
            let fields = [("request", try page.field("request")), ("decision", "allow")]
            #expect(try await victim.post("/oauth/authorize/consent", fields).status == .forbidden)
            #expect(
                try await victim.post("/oauth/authorize/consent", [("form_token", "x")] + fields).status == .forbidden)
            let attacker = TestBrowser(site)
            let foreign = try await attacker.get("/user/login").field("form_token")
            #expect(
                try await victim.post("/oauth/authorize/consent", [("form_token", foreign)] + fields).status
                    == .forbidden)
        }
    }
}
