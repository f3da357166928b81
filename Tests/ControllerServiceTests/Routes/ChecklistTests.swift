import FoundationEssentials
import HTTPTypes
import PlatformModel
import Testing

@testable import ControllerService

/// One exchange of the stock command line, byte for byte, with the row of controller API 8.1 it belongs to.
private struct Exchange: Sendable {
    let row: Int
    let call: (method: HTTPRequest.Method, path: String, body: String)
    let status: Int
    /// Literal JSON in which `"*"` stands for anything; empty for an empty body.
    let answer: String

    init(_ row: Int, _ method: HTTPRequest.Method, _ path: String, _ body: String, _ status: Int, _ answer: String) {
        self.row = row
        call = (method, path, body)
        self.status = status
        self.answer = answer
    }
}

extension APITests {
    /// Controller API 8.1: what is odd, but what the command line depends on.
    ///
    /// Rows other suites show: 1, 4 and 5 `LoginRoutesTests`, 2 the router's `EdgeRoutingTests`, 10 `AppRoutesTests`,
    /// 14 `ProcessRoutesTests`, 15 and 16 `PodSocketTests`. Row 24 is the client's own doing. Rows 17, 18 and 25 are
    /// about volumes, certificates and gateways, which this controller has no routes for.
    @Suite struct ChecklistTests {
        private static let config = "/v2/apps/myapp/config/?merge=true"
        private static let releases = "/v2/apps/myapp/releases"
        private static let types = "/v2/apps/myapp/ptypes"
        private static let probe = #"{"httpGet":{"path":"/","port":80}}"#

        /// Carried out one after the other on an app with a `web` and a `worker`.
        private static let exchanges: [Exchange] = [
            // An empty body with a JSON type is an empty object.
            .init(7, .post, "/v2/auth/login/", "", 302, ""),
            .init(7, .post, "/v2/apps/", "", 400, #"{"workspace":["This field is required."]}"#),
            .init(7, .post, "\(releases)/rollback/", "", 400, #"{"detail":"Cannot roll back to initial release."}"#),
            .init(7, .post, "\(releases)/deploy/", "", 204, ""),
            .init(7, .post, "\(types)/restart/", "", 204, ""),
            .init(7, .delete, "/v2/apps/myapp/pods/", #"{"pod_ids":"nobody"}"#, 200, ""),
            // Scalars are strings, whatever they were sent as; probes and hooks keep their kinds.
            .init(
                11, .post, config,
                #"""
                {"values":[{"group":"global","name":"A","value":"1"},{"ptype":"web","name":"B","value":"2"}],
                 "termination_grace_period":{"web":60},"registry":{"web":{"username":"u","password":7}},
                 "healthcheck":{"web":{"livenessProbe":\#(probe)},"worker":{"livenessProbe":\#(probe)}},
                 "lifecycle":{"web":{"stopSignal":"SIGTERM","preStop":{"exec":{"command":["sleep","5"]}}}}}
                """#, 201,
                #"""
                {"uuid":"*","app":"myapp","created":"*","updated":"*","values_refs":{},"tags":{},
                 "values":[{"group":"global","name":"A","value":"1"},{"ptype":"web","name":"B","value":"2"}],
                 "limits":{"run":"std1.large.c1m1","web":"std1.large.c1m1","worker":"std1.large.c1m1"},
                 "termination_grace_period":{"web":"60"},"registry":{"web":{"username":"u","password":"7"}},
                 "healthcheck":{"web":{"livenessProbe":\#(probe)},"worker":{"livenessProbe":\#(probe)}},
                 "lifecycle":{"web":{"stopSignal":"SIGTERM","preStop":{"exec":{"command":["sleep","5"]}}}}}
                """#),
            .init(
                11, .post, config, #"{"limits":{"web":"std1.large.c2m4"},"registry":{"web":{"username":null}}}"#, 201,
                #"""
                {"uuid":"*","app":"myapp","created":"*","updated":"*","values_refs":{},"tags":{},"values":"*",
                 "limits":{"run":"std1.large.c1m1","web":"std1.large.c2m4","worker":"std1.large.c1m1"},
                 "termination_grace_period":{"web":"60"},"registry":{"web":{"password":"7"}},
                 "healthcheck":"*","lifecycle":"*"}
                """#),
            // Unsetting a probe names no process type: it goes from all of them.
            .init(
                26, .post, config, #"{"healthcheck":{"livenessProbe":{"livenessProbe":null}}}"#, 201,
                #"""
                {"uuid":"*","app":"myapp","created":"*","updated":"*","values_refs":{},"tags":{},"values":"*",
                 "limits":"*","termination_grace_period":"*","registry":"*","lifecycle":"*",
                 "healthcheck":{"web":{},"worker":{}}}
                """#),
            // Several process types and pods are one text.
            .init(13, .post, "\(releases)/deploy/", #"{"ptypes":"web,worker","force":true}"#, 204, ""),
            .init(
                13, .post, "\(releases)/deploy/", #"{"ptypes":["web"]}"#, 400,
                #"{"ptypes":["Not a valid string."]}"#),
            .init(13, .post, "\(releases)/rollback/", #"{"version":2,"ptypes":"web,worker"}"#, 201, #"{"version":6}"#),
            .init(
                13, .post, "\(releases)/rollback/", #"{"version":2,"ptypes":"web,none"}"#, 400,
                #"{"detail":"process type none is not included in procfile"}"#),
            .init(13, .post, "\(types)/restart/", #"{"ptypes":"web,worker"}"#, 204, ""),
            .init(
                13, .post, "\(types)/clean/", #"{"ptypes":"web,worker"}"#, 400,
                #"{"detail":"ptype web should not garbage."}"#),
            .init(13, .delete, "/v2/apps/myapp/pods/", #"{"pod_ids":"myapp-web-a,myapp-web-b"}"#, 200, ""),
            // A key the list cannot show is never stored.
            .init(
                19, .post, "/v2/keys/", #"{"id":"short","public":"ssh-rsa AAAA"}"#, 400,
                #"{"public":["\#(SSHPublicKey.unsupported)"]}"#),
            // What the user is to read comes with a status whose text is shown.
            .init(
                20, .post, config, #"{"limits":{"zzz":null}}"#, 422, #"{"detail":"zzz does not exist under limits"}"#),
            .init(
                20, .post, config, #"{"limits":{"web":null}}"#, 422,
                #"{"detail":"the web has already been used and cannot be deleted"}"#),
            .init(
                20, .post, "/v2/apps/myapp/settings/", #"{"label":{"zz":null}}"#, 422,
                #"{"detail":"zz does not exist under label"}"#),
            // The sentences the command line recognises.
            .init(
                21, .post, "/v2/apps/myapp/build/", #"{"image":"","stack":"container"}"#, 400,
                #"{"image":["This field may not be blank."]}"#),
            .init(
                21, .post, "/v2/apps/", #"{"id":"myapp","workspace":"acme1"}"#, 400,
                #"{"id":["Application with this id already exists."]}"#),
            .init(
                21, .post, "/v2/keys/", #"{"id":"","public":""}"#, 400,
                #"{"id":["This field may not be blank."],"public":["This field may not be blank."]}"#),
            .init(
                21, .post, "/v2/apps/myapp/domains/", #"{"domain":"foo.123","ptype":"web"}"#, 400,
                #"{"domain":["Hostname does not look valid."]}"#),
            .init(
                21, .post, "\(releases)/rollback/", #"{"version":-1}"#, 400,
                #"{"detail":"version cannot be below 0"}"#),
            .init(
                21, .post, config, #"{"tags":{"web":{"ssd":"true"}}}"#, 400,
                #"{"detail":"No nodes matched the provided labels: ssd=true"}"#),
            .init(
                21, .post, "/v2/workspaces", #"{"id":"acme2","email":"nope"}"#, 400,
                #"{"email":["Enter a valid email address."]}"#),
            // Routing and its siblings have a value always; autoscale rules that are gone leave an empty map.
            .init(22, .get, "/v2/apps/myapp/settings/", "", 200, settings("{}")),
            .init(
                22, .post, "/v2/apps/myapp/settings/",
                #"{"autoscale":{"web":{"min":1,"max":3,"cpu_percent":40}}}"#, 201,
                settings(#"{"web":{"min":1,"max":3,"cpu_percent":40}}"#)),
            .init(22, .post, "/v2/apps/myapp/settings/", #"{"autoscale":{"web":null}}"#, 201, settings("{}")),
            // `drycc open` takes the first domain.
            .init(23, .post, "/v2/apps/myapp/domains/", #"{"domain":"www.foo.com","ptype":"web"}"#, 201, domain("www")),
            .init(23, .post, "/v2/apps/myapp/domains/", #"{"domain":"api.foo.com","ptype":"web"}"#, 201, domain("api")),
            .init(
                23, .get, "/v2/apps/myapp/domains/?limit=1", "", 200,
                #"{"count":2,"next":"*","previous":null,"results":[\#(domain("api"))]}"#),
        ]

        private static func settings(_ autoscale: String) -> String {
            #"""
            {"uuid":"*","app":"myapp","routable":true,"autodeploy":true,"autorollback":true,"label":{},
             "autoscale":\#(autoscale),"created":"*","updated":"*"}
            """#
        }

        private static func domain(_ label: String) -> String {
            #"{"created":"*","updated":"*","app":"myapp","domain":"\#(label).foo.com","ptype":"web"}"#
        }

        /// An app `myapp` of ada's with `web` and `worker`, deployed as v2.
        private func withBuiltApp(_ body: @Sendable @escaping (API, _ ada: String) async throws -> Void) async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                try await api.build(as: ada)
                try await api.markDeployed()
                try await body(api, ada)
            }
        }

        @Test func everyExchangeIsAnsweredAsWritten() async throws {
            try await withBuiltApp { api, ada in
                for exchange in Self.exchanges {
                    let call = exchange.call
                    let answer = try await api.call(call.method, call.path, call.body, as: ada)
                    let words: Comment = "row \(exchange.row): \(call.method) \(call.path) \(call.body)"
                    #expect(answer.status == exchange.status, words)
                    #expect(answer.headers[try headerName("DRYCC_API_VERSION")] == "2.3", words)
                    guard !exchange.answer.isEmpty else {
                        #expect(answer.text.isEmpty, words)
                        continue
                    }
                    try expectJSON(answer, exchange.answer)
                }
            }
        }

        private static let lists = [
            "/v2/apps/", "/v2/workspaces/", "/v2/workspaces/acme1/members/", "/v2/workspaces/acme1/invitations/",
            "/v2/keys/", "/v2/tokens/", "/v2/limits/specs/", "/v2/limits/plans/", "/v2/apps/myapp/releases/",
            "/v2/apps/myapp/domains/", "/v2/apps/myapp/pods/", "/v2/apps/myapp/ptypes/", "/v2/apps/myapp/events/",
            "/v2/apps/myapp/ptypes/myapp-web/describe/",
        ]

        /// Rows 8 and 9: whatever the limit, an array and the number of all.
        @Test func listsHaveResultsAndCountAtAnyLimit() async throws {
            try await withBuiltApp { api, ada in
                for path in Self.lists {
                    for limit in ["", "?limit=0", "?limit=-1", "?limit=1000", "?limit=x"] {
                        let list = try await api.call(.get, path + limit, as: ada)
                        #expect(list.status == 200, "\(path)\(limit)")
                        let results = try #require(try list.json["results"]?.arrayValue, "\(path)\(limit)")
                        #expect(try list.json["count"]?.integerValue == results.count, "\(path)\(limit)")
                    }
                }
                let services = try await api.call(.get, "/v2/apps/myapp/services/?limit=1000", as: ada)
                try expectJSON(services, #"{"services":[]}"#)
            }
        }

        /// Row 6: with and without the last slash the same, and never a redirect.
        @Test func everyPathIsAnsweredInBothSlashForms() async throws {
            try await withAPI { api in
                let world = try await AccessWorld(api)
                for route in api.controller.makeRoutes().policies.keys where route.path.hasPrefix("/v2/") {
                    let method = try #require(HTTPRequest.Method(route.method))
                    let path = world.path(route.path)
                    let base = path.hasSuffix("/") ? String(path.dropLast()) : path
                    var statuses: [Int] = []
                    for form in [base, base + "/"] where form != "/v2" {
                        statuses.append(try await api.call(method, form).status)
                    }
                    #expect(Set(statuses).count == 1, "\(route): \(statuses)")
                    #expect(![301, 307, 308].contains(statuses.first ?? 0), "\(route)")
                }
            }
        }

        /// Row 5: who polls for a token has a rate of its own, with room for 20 people behind one address.
        @Test func pollingIsNotHeldUpByOtherStrangers() async throws {
            try await withAPI(settings: ["THROTTLE_ANONYMOUS": "2", "THROTTLE_LOGIN": "240"]) { api in
                var strangers: [Int] = []
                for _ in 0..<4 { strangers.append(try await api.call(.post, "/v2/auth/login/").status) }
                #expect(strangers == [302, 302, 429, 429])
                let key = String(repeating: "0", count: 32)
                for _ in 0..<240 {
                    let poll = try await api.call(.get, "/v2/auth/token/\(key)/?alias=workflow-cli")
                    #expect(poll.status == 404 && poll.text.isEmpty)
                }
                let late = try await api.call(.get, "/v2/auth/token/\(key)/?alias=workflow-cli")
                #expect(late.status == 429)
                #expect(late.headers[.retryAfter].flatMap { Int($0) } ?? 0 > 0)
                #expect(late.headers[try headerName("DRYCC_API_VERSION")] == "2.3")
            }
        }

        /// Row 12: the command line reads these members of each plan without looking whether they are there.
        @Test func everyPlanHasWhatTheCommandLineReads() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                let plans = try await api.call(.get, "/v2/limits/plans/?limit=1000", as: ada).json
                for listed in try #require(plans["results"]?.arrayValue) {
                    let id = try #require(listed["id"]?.stringValue)
                    let plan = try await api.call(.get, "/v2/limits/plans/\(id)/", as: ada).json
                    #expect(plan == listed)
                    let gpu = plan["spec"]?["features"]?["gpu"]
                    #expect(gpu?["name"]?.stringValue != nil && gpu?["memory"]?["size"]?.stringValue != nil)
                    #expect(plan["cpu"]?.integerValue != nil && plan["memory"]?.integerValue != nil)
                }
            }
        }
    }
}

@Suite struct DisabledPlanTests {
    /// Row 12: a plan that is in use stays readable when nobody may choose it any more.
    @Test func aDisabledPlanIsReadButNotListedOrChosen() throws {
        let old = try #require(LimitCatalogue.standard.plans.last)
        let disabled = LimitPlan(
            id: old.id, spec: old.spec, cpu: old.cpu, memory: old.memory, disabled: true, priority: old.priority)
        let catalogue = LimitCatalogue(
            specs: LimitCatalogue.standard.specs, plans: LimitCatalogue.standard.plans.dropLast() + [disabled])
        #expect(catalogue.plan(old.id) == disabled)
        #expect(!catalogue.plans(spec: nil, cpu: nil, memory: nil).contains(disabled))
        #expect(throws: Refusal.self) {
            try ConfigChange(body: ["limits": ["web": .string(old.id)]], plans: catalogue)
        }
    }
}
