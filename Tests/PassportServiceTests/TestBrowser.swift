import AccessTokens
import FoundationEssentials
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import OpenSSLCrypto
import PlatformModel
import Testing

@testable import PassportService

/// A browser without scripts: keeps cookies, reads forms, follows nothing by itself.
final class TestBrowser {
    struct Page {
        let status: HTTPResponse.Status
        let headers: HTTPFields
        let text: String

        var location: String? { headers[.location] }

        /// The parameters of the redirect.
        var answer: OAuthParameters {
            get throws {
                let location = try #require(location)
                let mark = try #require(location.firstIndex(of: "?"))
                return try #require(OAuthParameters(query: String(location[location.index(after: mark)...])))
            }
        }

        /// The value of a form's field.
        func field(_ name: String) throws -> String {
            let start = try #require(text.firstRange(of: "name=\"\(name)\" value=\""), "no field \(name) in \(text)")
            return String(text[start.upperBound...].prefix { $0 != "\"" })
                .replacing("&amp;", with: "&").replacing("&quot;", with: "\"").replacing("&#39;", with: "'")
        }
    }

    private(set) var cookies: [String: String] = [:]
    private let site: PassportSite
    var address: String?

    init(_ site: PassportSite) { self.site = site }

    func setCookie(_ name: String, _ value: String) { cookies[name] = value }

    func get(_ path: String) async throws -> Page { try await send(.get, path, body: nil) }

    func post(_ path: String, _ fields: [(String, String)]) async throws -> Page {
        try await send(.post, path, body: FormCoding.encode(fields))
    }

    /// Fills in the form of a page and sends it.
    func submit(_ page: Page, to path: String, _ fields: [(String, String)]) async throws -> Page {
        try await post(path, [("form_token", try page.field("form_token"))] + fields)
    }

    /// Signs in and answers the response to the form.
    @discardableResult
    func signIn(_ name: String = "ada", password: String = PassportSite.password, next: String = "") async throws
        -> Page
    {
        let page = try await get("/user/login?next=" + FormCoding.encode(next))
        return try await submit(
            page, to: "/user/login",
            [("username", name), ("password", password), ("next", try page.field("next"))])
    }

    private func send(_ method: HTTPRequest.Method, _ path: String, body: String?) async throws -> Page {
        var headers: HTTPFields = [.accept: "text/html,*/*"]
        if !cookies.isEmpty { headers[.cookie] = cookies.map { "\($0)=\($1)" }.joined(separator: "; ") }
        if body != nil { headers[.contentType] = "application/x-www-form-urlencoded" }
        if let address, let name = HTTPField.Name("X-Forwarded-For") { headers[name] = address }
        let response = try await site.client.executeRequest(
            uri: path, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
        for value in response.headers[values: .setCookie] {
            let pair = value.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            cookies[String(pair[0])] = pair[1].isEmpty ? nil : String(pair[1])
        }
        return Page(status: response.status, headers: response.headers, text: String(buffer: response.body))
    }
}

/// A client application: makes authorization requests and trades what it gets.
struct TestApplication {
    let site: PassportSite
    var id = "controller"
    var secret: String? = "controller-secret-0123"
    var redirect = "http://drycc.example.test/v2/complete/drycc/"
    let verifier = SecureRandom.base64URL(32)

    /// The path of an authorization request; `changes` replace or, with an empty value, remove parameters.
    func authorizePath(_ changes: [String: String] = [:]) -> String {
        let parameters = [
            "response_type": "code", "client_id": id, "redirect_uri": redirect, "scope": "openid profile email",
            "state": "st&te=1", "nonce": "n-0", "code_challenge": Base64URL.encode(SHA256Digest.hash(verifier)),
            "code_challenge_method": "S256",
        ].merging(changes) { _, new in new }
        return "/oauth/authorize/?" + FormCoding.encode(parameters.filter { !$0.value.isEmpty }.map { ($0, $1) })
    }

    /// A form-encoded call of an endpoint with the client's credentials in the header.
    func call(
        _ path: String, _ fields: [String: String], headers extra: HTTPFields = [:]
    ) async throws -> (status: HTTPResponse.Status, headers: HTTPFields, json: [String: JSONValue]) {
        var headers = extra
        var fields = fields
        headers[.contentType] = "application/x-www-form-urlencoded"
        if let secret, headers[.authorization] == nil {
            let pair = "\(FormCoding.encode(id)):\(FormCoding.encode(secret))"
            headers[.authorization] = "Basic " + Base64.encode(pair.utf8)
        } else if secret == nil {
            fields["client_id"] = id
        }
        let response = try await site.client.executeRequest(
            uri: path, method: .post, headers: headers,
            body: ByteBuffer(string: FormCoding.encode(fields.map { ($0, $1) })))
        let body = Data(response.body.readableBytesView)
        let json = body.isEmpty ? [:] : try JSONDecoder().decode([String: JSONValue].self, from: body)
        return (response.status, response.headers, json)
    }

    /// Trades a code.
    func trade(_ code: String, _ changes: [String: String] = [:]) async throws -> [String: JSONValue] {
        let fields = [
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": verifier,
        ].merging(changes) { _, new in new }
        return try await call("/oauth/token/", fields.filter { !$0.value.isEmpty }).json
    }

    func refresh(_ token: String, scope: String? = nil) async throws -> [String: JSONValue] {
        var fields = ["grant_type": "refresh_token", "refresh_token": token]
        fields["scope"] = scope
        return try await call("/oauth/token/", fields).json
    }

    /// A code for a browser that is signed in.
    func code(_ browser: TestBrowser, _ changes: [String: String] = [:]) async throws -> String {
        try #require(try await browser.get(authorizePath(changes)).answer["code"])
    }

    func userInfo(_ token: String) async throws -> (status: HTTPResponse.Status, json: [String: JSONValue]) {
        let response = try await site.client.executeRequest(
            uri: "/oauth/userinfo/", method: .get, headers: [.authorization: "Bearer \(token)"], body: nil)
        let body = Data(response.body.readableBytesView)
        return (response.status, try JSONDecoder().decode([String: JSONValue].self, from: body))
    }
}

extension [String: JSONValue] {
    func text(_ name: String) throws -> String { try #require(self[name]?.stringValue, "no \(name) in \(self)") }
}
