import AccessTokens
import HTTPTypes
import Hummingbird
import PlatformModel
import ServiceHTTP
import Testing

@testable import ControllerService

extension APITests {
    /// What every route has in common, and what comes from clients that do not mean well.
    @Suite struct WireTests {
        @Test func bothSlashFormsLeadToTheSamePlace() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                for path in [
                    "/v2/apps/myapp", "/v2/apps/myapp/", "/v2/workspaces", "/v2/workspaces/", "/v2/limits/plans",
                ] {
                    #expect(try await api.call(.get, path, as: ada).status == 200, "\(path)")
                }
                #expect(try await api.call(.head, "/v2/apps/myapp", as: ada).status == 200)
            }
        }

        @Test func wrongMethodsAndPathsAreTold() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                let method = try await api.call(.put, "/v2/keys/", as: ada)
                #expect(method.status == 405)
                try expectJSON(method, #"{"detail":"Method \"PUT\" not allowed."}"#)
                #expect(method.headers[.allow]?.contains("POST") == true)
                let path = try await api.call(.get, "/v2/nothing/here", as: ada)
                #expect(path.status == 404)
                #expect(path.headers[.contentType]?.hasPrefix("text/html") == true)
                #expect(path.headers[try headerName("DRYCC_API_VERSION")] == "2.3")
                let preflight = try await api.call(.options, "/v2/apps/")
                #expect(preflight.status == 200)
                #expect(preflight.headers[.accessControlAllowOrigin] == "*")
            }
        }

        @Test func badBodiesAreRefusedWithoutHarm() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                let malformed = try await api.call(.post, "/v2/apps/", "{", as: ada)
                #expect(malformed.status == 400)
                #expect(try malformed.json["detail"]?.stringValue?.hasPrefix("JSON parse error - ") == true)
                #expect(try await api.call(.post, "/v2/apps/", "[]", as: ada).status == 400)
                let text = try await api.call(
                    .post, "/v2/apps/", "x", as: ada, headers: [.contentType: "text/plain"])
                #expect(text.status == 415)
                let large = try await api.call(
                    .post, "/v2/apps/", String(repeating: " ", count: ControllerContext.bodyLimit + 1), as: ada)
                #expect(large.status == 413)
                let deep = String(repeating: "[", count: 100_000)
                #expect(try await api.call(.post, "/v2/apps/", deep, as: ada).status == 400)
                try expectJSON(
                    try await api.call(.post, "/v2/apps/", "", as: ada), #"{"workspace":["This field is required."]}"#)
            }
        }

        private static let trickyPaths = [
            "/v2/apps/..%2f..%2fetc/", "/v2/apps/my%00app/", "/v2/apps/%ff%fe/", "/v2/apps/MYAPP/", "/v2/apps/a'--/",
        ]

        @Test func trickyNamesLeadNowhere() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                for path in Self.trickyPaths { #expect(try await api.call(.get, path, as: ada).status == 404) }
            }
        }

        @Test func pagesAreCutAndLinked() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp("app-one", as: ada)
                try await api.makeApp("app-two", as: ada)
                let first = try await api.call(.get, "/v2/apps/?limit=1", as: ada)
                #expect(try first.json["count"] == 2)
                #expect(try first.json["next"] == "http://localhost/v2/apps/?limit=1&offset=1")
                let second = try await api.call(
                    .get, "/v2/apps/?limit=1&offset=1", as: ada)
                #expect(try second.json["next"]?.isNull == true)
                #expect(try second.json["results"]?.arrayValue?.first?["id"] == "app-two")
                for limit in ["0", "-1", "x", "1000"] {
                    let page = try await api.call(.get, "/v2/apps/?limit=\(limit)", as: ada)
                    #expect(try page.json["results"]?.arrayValue?.count == 2)
                }
            }
        }

        @Test func plansCanBeReadAsTheCommandLineDoes() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try expectJSON(
                    try await api.call(.get, "/v2/limits/plans/std1.large.c1m1/", as: ada),
                    """
                    {"id":"std1.large.c1m1","spec":{"id":"std1",
                     "cpu":{"name":"Universal CPU","boost":"3700MHZ","clock":"3100MHZ","cores":32,"threads":64},
                     "memory":{"size":"64GB","type":"DDR4-ECC"},
                     "features":{"gpu":{"name":"Integrated GPU","rops":1,"tmus":1,"cores":128,
                      "memory":{"size":"shared","type":"shared"}},"network":"10G"},"disabled":false},
                     "cpu":1,"memory":1,"features":{"gpu":1,"network":1},"disabled":false}
                    """)
                #expect(try await api.call(.get, "/v2/limits/plans/?cpu=1&memory=2", as: ada).json["count"] == 1)
                #expect(try await api.call(.get, "/v2/limits/specs/?keywords=gpu", as: ada).json["count"] == 1)
            }
        }

        @Test func healthNeedsNobody() async throws {
            try await withAPI { api in
                let health = try await api.call(.get, "/healthz")
                #expect(health.status == 200 && health.text == "OK")
                #expect(health.headers[try headerName("DRYCC_API_VERSION")] == "2.3")
                #expect(try await api.call(.get, "/readiness").status == 200)
            }
        }

        @Test func errorCodesAreDistinct() {
            #expect(Set(Refusal.codes.map(\.text)).count == Refusal.codes.count)
        }
    }

    /// What operators may; what everybody may is the affair of ``AccessMatrixTests``.
    @Suite struct OperatorTests {
        @Test func operatorsPassExceptOnTheAppItself() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let staff = try await api.signUp("root", id: 1, isStaff: true)
                #expect(try await api.call(.get, "/v2/apps/myapp/config/", as: staff).status == 200)
                #expect(try await api.call(.get, "/v2/apps/myapp/", as: staff).status == 404)
            }
        }
    }
}
