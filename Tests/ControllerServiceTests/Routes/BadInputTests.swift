import FoundationEssentials
import HTTPTypes
import HummingbirdTesting
import NIOCore
import PlatformModel
import Testing

@testable import ControllerService

extension APITests {
    /// Whatever comes over the border, on every route: a clear refusal, never a failure of ours.
    @Suite struct BadInputTests {
        /// Bodies that are no JSON object of the API.
        private static let bodies: [[UInt8]] = [
            Array("{".utf8), Array("[]".utf8), Array("\"text\"".utf8), Array("12".utf8), Array("{\"id\":".utf8),
            Array("{\"id\":1e999}".utf8), Array("\u{FEFF}{}x".utf8), Array("{\"id\":\"\\ud800\"}".utf8),
            [0x7B, 0x22, 0x69, 0x64, 0x22, 0x3A, 0x22, 0xFF, 0xFE, 0x22, 0x7D], [0x00], [0xFF, 0xFE],
            Array((String(repeating: "{\"a\":", count: 20_000) + "1").utf8),
        ]

        @Test func bodiesThatAreNoObjectsAreRefused() async throws {
            try await withRoutes { world, routes in
                for (route, caller) in routes where ["POST", "PUT", "PATCH"].contains(route.method) {
                    for body in Self.bodies {
                        let answer = try await world.send(route, caller, body)
                        try Self.expectRefusal(answer, "\(route) \(String(decoding: body.prefix(20), as: UTF8.self))")
                    }
                }
            }
        }

        /// Values no member of the API takes, or takes only some of.
        private static let values: [JSONValue] = [
            .null, true, 7, -1, 1.5, .integer(.max), [], ["x", 1], [[]], [:], ["a": ["b": [:]]], "", "\u{0}", "a\u{0}b",
            .string(String(repeating: "x", count: 70_000)), "../../etc/passwd", "'; DROP TABLE apps; --",
            "\u{202E}\u{1F4A9}",
        ]

        @Test func membersOfTheWrongKindAreRefused() async throws {
            try await withRoutes { world, routes in
                for (route, caller) in routes where ["POST", "PUT", "PATCH", "DELETE"].contains(route.method) {
                    guard let members = Self.members.first(where: { route.path.hasSuffix($0.key) })?.value,
                        !(route.method == "DELETE" && route.path == "/v2/apps/{app}/")
                    else { continue }
                    for (name, usual) in members {
                        for value in Self.values {
                            var body = members.mapValues { $0 }
                            body[name] = value == usual ? .null : value
                            let bytes = try JSONEncoder().encode(JSONValue.object(body))
                            let answer = try await world.send(route, caller, Array(bytes))
                            try Self.expectNoFailure(answer, "\(route) \(name): \("\(value)".prefix(40))")
                        }
                    }
                }
            }
        }

        private static let tricks = [
            "..%2f..%2fetc%2fpasswd", "%2e%2e", "%00", "my%00app", "%ff%fe", "%", "%zz", "a%20b", "'%3B--",
            "%3Cscript%3E",
            "%F0%9F%92%A9", "MYAPP", "%25s", "v99999999999999999999", "-1", String(repeating: "a", count: 5000),
        ]

        @Test func namesThatAreNoneLeadNowhere() async throws {
            try await withRoutes { world, routes in
                for (route, caller) in routes where ["GET", "DELETE"].contains(route.method) {
                    let parts = route.path.split(separator: "/").filter { $0.hasPrefix("{") || $0 == "**" }
                    for part in parts {
                        for trick in Self.tricks {
                            let path = world.path(route.path.replacing(part, with: trick))
                            let answer = try await world.send(route, caller, [], path: path)
                            try Self.expectNoFailure(answer, "\(route.method) \(path.prefix(100))")
                            if part == "{app}" { #expect((400..<500).contains(answer.status), "\(path.prefix(100))") }
                        }
                    }
                }
            }
        }

        private static let queries = [
            "limit=99999999999999999999&offset=9223372036854775807", "limit=-1&offset=-1", "limit=%00&offset=%ff",
            "version=v99999999999999999999", "version=%00", "version=-1", "ptypes=%00&search=%00&workspace=%00",
            "search=%25%27%5C", "pod_name=%00", "ptype=%00", "keywords=%00", "cpu=%00&memory=99999999999999999999",
            "from=99999999999999999999", "after=-9&wait=0", "after=x&wait=0", "alias=%00", "key=%00",
            "state=%00&code=%00",
            "log_lines=%00&follow=%00", "%ff=%ff", "&&==&",
        ]

        @Test func queriesThatAreNoneDoNoHarm() async throws {
            try await withRoutes { world, routes in
                for (route, caller) in routes where route.method == "GET" {
                    for query in Self.queries {
                        let path = world.path(route.path) + "?" + query
                        try Self.expectNoFailure(try await world.send(route, caller, [], path: path), path)
                    }
                }
            }
        }

        // MARK: - What is sent and what may come back

        /// Usual bodies by the end of the path, whose members are then spoilt one by one.
        private static let members: [String: [String: JSONValue]] = [
            "/v2/apps/": ["id": "newapp", "workspace": "acme1", "structure": ["web": 1]],
            "/apps/{app}/": ["workspace": "acme1"],
            "/run/": ["command": "ls", "ptype": "run", "timeout": 60, "expires": 60, "volumes": [:]],
            "/apps/{app}/build/": [
                "image": "a/b", "stack": "container", "sha": "", "procfile": ["web": "./x"], "dockerfile": "",
                "dryccfile": ["pipeline": ["web.yaml": ["ptype": "web", "deploy": ["args": ["x"]]]]],
            ],
            "/config/": [
                "values": [["group": "global", "name": "A", "value": "1"]], "values_refs": ["web": ["g1"]],
                "limits": ["web": "std1.large.c1m1"], "termination_grace_period": ["web": "60"], "tags": ["web": [:]],
                "registry": ["web": ["username": "u", "password": "p"]], "lifecycle": ["web": [:]],
                "healthcheck": ["web": ["livenessProbe": ["httpGet": ["path": "/", "port": 80]]]],
            ],
            "/releases/deploy/": ["ptypes": "web", "force": false],
            "/releases/rollback/": ["version": 2, "ptypes": ""], "/ptypes/scale/": ["web": 1],
            "/ptypes/restart/": ["ptypes": "web"], "/ptypes/clean/": ["ptypes": "web"], "/pods/": ["pod_ids": "a,b"],
            "/domains/": ["domain": "www.foo.com", "ptype": "web"],
            "/services/": ["ptype": "worker", "port": 5000, "protocol": "TCP", "target_port": 5000],
            "/settings/": [
                "routable": true, "autodeploy": true, "autorollback": true, "label": ["a": "b"],
                "autoscale": ["web": ["min": 1, "max": 2, "cpu_percent": 40]],
            ],
            "/tls/": ["https_enforced": true, "certs_auto_enabled": true, "issuer": ["email": "a@example.com"]],
            "/v2/keys/": ["id": "other", "public": .string(AccessWorld.publicKey)],
            "/v2/workspaces/": ["id": "acme2", "email": "ops@example.com"],
            "/v2/workspaces/{workspace}/": ["email": "ops@example.com"], "/invitations/": ["email": "x@example.com"],
            "/members/{username}/": ["alerts": true, "role": "admin"],
            "/auth/login/": ["username": "ada", "password": "x"],
            "/auth/token/": [
                "access_token": "x", "expires_in": 5, "token_type": "bearer", "scope": "x", "refresh_token": "x",
            ],
            "/hooks/config/": ["receive_user": "ada", "receive_repo": "myapp", "access": "read"],
            "/hooks/build/": [
                "receive_user": "ada", "receive_repo": "myapp", "sha": "abcdef12", "image": "a/b", "stack": "container",
                "procfile": ["web": "./x"], "dockerfile": "", "dryccfile": [:],
            ],
            "/hooks/build-runs/": [
                "receive_user": "ada", "receive_repo": "myapp", "sha": .string(String(repeating: "8", count: 40)),
                "ref": "refs/heads/main",
                "message": "m", "source_key": "k", "source_digest": "d", "source_size": 3,
            ],
            "/claim/": ["holder": "builder-1"], "/heartbeat/": ["fence": 1],
            "/log/": ["fence": 1, "lines": [["phase": "build", "text": "x"]]],
            "/phase/": ["fence": 1, "phase": "detect", "text": "x", "seconds": 0.1],
            "/result/": [
                "fence": 1, "image": "a/b@sha256:1", "digest": "sha256:1", "size": 1, "stack": "container",
                "procfile": [:], "dryccfile": [:], "dockerfile": "", "port": 80,
            ],
            "/failed/": ["fence": 1, "phase": "build", "reason": "r", "hint": "h"], "/routes/applied/": ["version": 1],
        ]

        /// Every route with the caller who gets furthest on it.
        private func withRoutes(
            _ body: @Sendable @escaping (AccessWorld, [(RouteCatalog.Route, AccessWorld.Caller)]) async throws -> Void
        ) async throws {
            try await withAPI { api in
                let world = try await AccessWorld(api)
                let owner = try #require(world.credentials[.owner])
                try await api.build(as: owner)
                let routes = api.controller.makeRoutes().policies.sorted { $0.key.path < $1.key.path }
                try await body(
                    world,
                    routes.map { route, policy in
                        switch policy {
                        case .scope(MachineScope.routes): (route, .router)
                        case .scope: (route, .builder)
                        case .open, .loginPolling, .ownCredentials: (route, .anonymous)
                        case .signedIn, .app, .appItself: (route, .owner)
                        }
                    })
            }
        }

        private static func expectRefusal(_ answer: API.Answer, _ words: String) throws {
            try expectNoFailure(answer, words)
            #expect(
                (400..<500).contains(answer.status), "\(words) answered \(answer.status) \(answer.text.prefix(200))")
        }

        /// An answer below 500, and a body that is empty, JSON, or the page for paths that lead nowhere.
        private static func expectNoFailure(_ answer: API.Answer, _ words: String) throws {
            // The logger is away in these tests.
            #expect(
                answer.status < 500 || answer.status == 502,
                "\(words) answered \(answer.status) \(answer.text.prefix(200))")
            guard answer.status >= 400, !answer.text.isEmpty else { return }
            let type = answer.headers[.contentType] ?? ""
            #expect(type.hasPrefix("application/json") || type.hasPrefix("text/html"), "\(words) answered \(type)")
            for inside in ["Postgres", "Swift", "Sources/", "SELECT "] {
                #expect(!answer.text.contains(inside), "\(words) answered \(answer.text.prefix(200))")
            }
        }
    }
}

extension AccessWorld {
    /// A call with any bytes as its body.
    fileprivate func send(
        _ route: RouteCatalog.Route, _ caller: Caller, _ body: [UInt8], path: String? = nil
    ) async throws -> API.Answer {
        let method = try #require(HTTPRequest.Method(route.method))
        var headers: HTTPFields = [.contentType: "application/json"]
        if let token = credentials[caller] { headers[.authorization] = token.contains(" ") ? token : "token \(token)" }
        return try await api.client.execute(
            uri: path ?? self.path(route.path), method: method, headers: headers,
            body: body.isEmpty ? nil : ByteBuffer(bytes: body)
        ) { response in
            API.Answer(status: response.status.code, headers: response.headers, text: String(buffer: response.body))
        }
    }
}
