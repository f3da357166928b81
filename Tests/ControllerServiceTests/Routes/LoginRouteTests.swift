import HTTPTypes
import PlatformModel
import Postgres
import Testing

@testable import ControllerService

extension APITests {
    /// Controller API 1.5, byte for byte.
    @Suite struct LoginRoutesTests {
        @Test func connectionCheckIsRefusedWithTheVersion() async throws {
            try await withAPI { api in
                let answer = try await api.call(.get, "/v2/")
                #expect(answer.status == 401)
                #expect(answer.headers[try headerName("DRYCC_API_VERSION")] == "2.3")
                #expect(answer.headers[.wwwAuthenticate] == "token")
                try expectJSON(answer, #"{"detail":"Authentication credentials were not provided."}"#)
            }
        }

        @Test func passwordLoginMakesOneToken() async throws {
            try await withAPI { api in
                api.provider.add(UserInfo(id: 7, username: "ada", email: "ada@example.com"))
                let login = try await api.call(
                    .post, "/v2/auth/login/", #"{"username":"ada","password":"right"}"#)
                #expect(login.status == 200)
                let key = try #require(try login.json["key"]?.stringValue)
                #expect(key.count == 32 && key.allSatisfy(\.isHexDigit))
                let token = try await api.call(.get, "/v2/auth/token/\(key)/?alias=workflow-cli")
                #expect(token.status == 200)
                try expectJSON(token, #"{"uuid":"*","token":"*","username":"ada"}"#)
                #expect(try token.json["token"]?.stringValue?.count == 128)
                let again = try await api.call(.get, "/v2/auth/token/\(key)/?alias=workflow-cli")
                #expect(again.status == 404 && again.text.isEmpty)
            }
        }

        @Test func providersRefusalIsPassedOn() async throws {
            try await withAPI { api in
                let answer = try await api.call(
                    .post, "/v2/auth/login/", #"{"username":"ada","password":"wrong"}"#)
                #expect(answer.status == 400)
                try expectJSON(
                    answer, #"{"error":"invalid_grant","error_description":"Invalid credentials given."}"#)
                let blank = try await api.call(.post, "/v2/auth/login/", #"{"username":"","password":""}"#)
                #expect(blank.status == 302 || blank.status == 400)
                try expectJSON(
                    blank,
                    #"{"username":["This field may not be blank."],"password":["This field may not be blank."]}"#)
            }
        }

        @Test func browserLoginLeadsThroughTheProvider() async throws {
            try await withAPI { api in
                api.provider.add(UserInfo(id: 7, username: "ada", email: "ada@example.com"))
                let start = try await api.call(.post, "/v2/auth/login/")
                #expect(start.status == 302)
                let location = try #require(start.headers[.location])
                #expect(location.hasPrefix("http://localhost/v2/login/drycc/?key="))
                let key = String(location.suffix(32))
                #expect(try await api.call(.get, "/v2/auth/token/\(key)/?alias=x").status == 404)
                let redirect = try await api.call(
                    .get, "/v2/login/drycc/?key=\(key)")
                #expect(redirect.status == 302)
                let state = try #require(
                    redirect.headers[.location]?.split(separator: "state=").last?.split(separator: "&").first)
                #expect(redirect.headers[.location]?.hasSuffix("http://localhost/v2/complete/drycc/") == true)
                let done = try await api.call(.get, "/v2/complete/drycc/?state=\(state)&code=ada")
                #expect(done.status == 200)
                #expect(try await api.call(.get, "/v2/complete/drycc/?state=\(state)&code=ada").status == 400)
                let token = try await api.call(.get, "/v2/auth/token/\(key)/?alias=x")
                try expectJSON(token, #"{"uuid":"*","token":"*","username":"ada"}"#)
            }
        }

        @Test func whoamiShowsTheUser() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                let answer = try await api.call(.get, "/v2/auth/whoami/", as: ada)
                try expectJSON(
                    answer,
                    """
                    {"id":7,"email":"ada@example.com","username":"ada","first_name":"","last_name":"",
                     "is_superuser":false,"is_staff":false,"groups":[],"user_permissions":[],"last_login":"*",
                     "date_joined":"*","is_active":true}
                    """)
            }
        }

        private static let badCredentials = [
            ("token", "Invalid token header. No credentials provided."),
            ("token a b", "Invalid token header. Token string should not contain spaces."),
            ("token nope", "Invalid token."), ("bearer nope", "Verify token fail."),
            ("Basic abc", "Authentication credentials were not provided."),
        ]

        @Test func badCredentialsAreNamed() async throws {
            try await withAPI { api in
                for (header, sentence) in Self.badCredentials {
                    let answer = try await api.call(.get, "/v2/apps/", headers: [.authorization: header])
                    #expect(answer.status == 401)
                    #expect(try answer.json["detail"]?.stringValue == sentence)
                }
            }
        }

        @Test func tokensAreListedWithoutTheirKeysAndCanBeRevoked() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                let list = try await api.call(.get, "/v2/tokens/?limit=100", as: ada)
                try expectJSON(
                    list,
                    """
                    {"count":1,"next":null,"previous":null,"results":[{"uuid":"*","owner":"ada","alias":"workflow-cli",
                     "fuzzy_key":"\(ada.prefix(14))...\(ada.suffix(14))","created":"*","updated":"*"}]}
                    """)
                let uuid = try #require(try list.json["results"]?.arrayValue?.first?["uuid"]?.stringValue)
                let bob = try await api.signUp("bob", id: 8)
                #expect(try await api.call(.delete, "/v2/tokens/\(uuid)/", as: bob).status == 404)
                #expect(try await api.call(.delete, "/v2/tokens/\(uuid)/", as: ada).status == 204)
                #expect(try await api.call(.get, "/v2/tokens/", as: ada).status == 401)
            }
        }

        @Test func dueTokenIsRefreshedOnceAndEndsWhenTheProviderRefuses() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.database.execute("UPDATE tokens SET refresh_after = now() - interval '1 minute'")
                #expect(try await api.call(.get, "/v2/apps/", as: ada).status == 200)
                #expect(try await api.call(.get, "/v2/apps/", as: ada).status == 200)
                #expect(api.provider.refreshed == 1)
                try await api.database.execute("UPDATE tokens SET refresh_after = now() - interval '1 minute'")
                api.provider.refuseRefreshes()
                #expect(try await api.call(.get, "/v2/apps/", as: ada).status == 401)
            }
        }

        @Test func noSecretIsStoredInClear() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                let rows = try await api.database.query(
                    """
                    SELECT count(*) AS found FROM tokens
                    WHERE tokens::text LIKE '%access-ada%' OR tokens::text LIKE \("%\(ada)%")
                    """
                )
                #expect(try rows.one().decode("found", as: Int.self) == 0)
            }
        }
    }
}
