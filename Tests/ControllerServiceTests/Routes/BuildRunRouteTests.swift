import AccessTokens
import FoundationEssentials
import HTTPTypes
import OpenSSLCrypto
import PlatformModel
import Postgres
import Testing

@testable import ControllerService

extension APITests {
    /// The builder's exchanges, from a push to its end.
    @Suite struct BuildRunRoutesTests {
        private static let sha = "8f3c2a1b8f3c2a1b8f3c2a1b8f3c2a1b8f3c2a1b"

        private func push(_ api: API, _ builder: String, key: String = "sources/1", user: String = "ada") async throws
            -> API.Answer
        {
            try await api.call(
                .post, "/v2/hooks/build-runs/",
                """
                {"receive_user":"\(user)","receive_repo":"myapp","sha":"\(Self.sha)","ref":"refs/heads/main",
                 "message":"first","source_key":"\(key)","source_digest":"sha256:00","source_size":12}
                """, as: builder)
        }

        private func claim(_ api: API, _ builder: String, _ id: String, holder: String = "builder-1") async throws
            -> API.Answer
        {
            try await api.call(
                .post, "/v2/hooks/build-runs/\(id)/claim", #"{"holder":"\#(holder)"}"#, as: builder)
        }

        @Test func sourceBundlesAreNeededUntilTheirBuildIsOver() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let builder = try api.machine(scope: ["controller:hook"])
                let path = "/v2/hooks/build-runs/sources/"
                let keys = #"{"keys":["sources/1","sources/2","sources/none"]}"#
                _ = try await push(api, builder)
                try expectJSON(try await api.call(.post, path, keys, as: builder), #"{"needed":["sources/1"]}"#)
                // The newer push supersedes the older.
                let second = try await push(api, builder, key: "sources/2")
                try expectJSON(try await api.call(.post, path, keys, as: builder), #"{"needed":["sources/2"]}"#)
                let id = try #require(try second.json["id"]?.stringValue)
                _ = try await claim(api, builder, id)
                try expectJSON(try await api.call(.post, path, keys, as: builder), #"{"needed":["sources/2"]}"#)
                let failure = #"{"fence":1,"phase":"build","reason":"x"}"#
                _ = try await api.call(.post, "/v2/hooks/build-runs/\(id)/failed", failure, as: builder)
                try expectJSON(try await api.call(.post, path, keys, as: builder), #"{"needed":[]}"#)
                #expect(try await api.call(.post, path, #"{"keys":[1]}"#, as: builder).status == 400)
                #expect(try await api.call(.post, path, "{}", as: builder).status == 400)
                #expect([401, 403].contains(try await api.call(.post, path, keys, as: ada).status))
            }
        }

        @Test func pushIsBuiltReleasedAndReadFromLineZero() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let builder = try api.machine(scope: ["controller:hook"])
                let opened = try await push(api, builder)
                #expect(opened.status == 201)
                try expectJSON(opened, #"{"id":"*","app":"myapp","number":1}"#)
                let id = try #require(try opened.json["id"]?.stringValue)
                #expect(try await push(api, builder).json["id"]?.stringValue == id)
                #expect(api.work.all == [.build(run: UUID(uuidString: id) ?? UUID())])

                let order = try await claim(api, builder, id)
                #expect(order.status == 200)
                try expectJSON(
                    order,
                    """
                    {"fence":1,"app":"myapp","user":"ada","sha":"\(Self.sha)","source_key":"sources/1",
                     "source_digest":"sha256:00","repository":"127.0.0.1:5000/myapp/myapp","tag":"git-8f3c2a1b",
                     "registry_username":"grant","registry_password":"*","build_env":{},"process_types":[],
                     "stack":null,"timeout_seconds":1800}
                    """)
                let held = try await claim(api, builder, id, holder: "builder-2")
                #expect(held.status == 423)
                #expect(try held.json["holder"] == "builder-1")

                let base = "/v2/hooks/build-runs/\(id)"
                let beat = try await api.call(.post, "\(base)/heartbeat", #"{"fence":1}"#, as: builder)
                try expectJSON(beat, #"{"cancelled":false}"#)
                let lines =
                    #"{"fence":1,"lines":[{"phase":"build","text":"STEP 1"},{"phase":"build","text":"STEP 2"}]}"#
                #expect(try await api.call(.post, "\(base)/log", lines, as: builder).status == 204)
                let phase = #"{"fence":1,"phase":"detect","text":"Dockerfile, port 8080 from EXPOSE","seconds":0.02}"#
                #expect(try await api.call(.post, "\(base)/phase", phase, as: builder).status == 204)
                let result = """
                    {"fence":1,"image":"127.0.0.1:5000/myapp/myapp@sha256:aa","digest":"sha256:aa","size":41,
                     "stack":"container","procfile":{},"dryccfile":{},"dockerfile":"FROM scratch","port":8080}
                    """
                let done = try await api.call(.post, "\(base)/result", result, as: builder)
                try expectJSON(done, #"{"release":{"version":2}}"#)
                try expectJSON(
                    try await api.call(.post, "\(base)/result", result, as: builder), #"{"release":{"version":2}}"#)
                #expect(try await claim(api, builder, id).status == 409)

                let uuid = try #require(UUID(uuidString: id))
                let run = try #require(try await BuildRunStore().find(uuid, in: api.database))
                #expect(run.state == .deploying)
                let buildID = try #require(run.build)
                let build = try #require(try await BuildStore().find(buildID, in: api.database))
                #expect(build.port == 8080 && build.sha == Self.sha)
                try await endRun(run, api)
                let events = try await api.call(.get, "\(base)/events?from=0", as: builder)
                let kinds = try events.text.split(separator: "\n").map { line in
                    try #require(
                        try API.Answer(status: 200, headers: [:], text: String(line)).json["kind"]?.stringValue)
                }
                #expect(kinds == ["header", "line", "line", "phase", "end"])
                #expect(events.text.contains(#""text":"myapp v2  8f3c2a1  by ada  (queue "#), "\(events.text)")
                let page = try await api.call(.get, "/v2/apps/myapp/build-runs/", as: ada)
                #expect(try page.json["results"]?.arrayValue?.first?["state"] == "live")
                #expect(try await api.call(.get, "/v2/apps/myapp/build-runs/1/events", as: ada).text == events.text)
            }
        }

        private func endRun(_ run: BuildRun, _ api: API) async throws {
            let configs = ConfigStore(vault: Vault(box: try Controller.box(api.configuration)))
            let service = BuildRunService(
                database: api.database,
                releases: ReleaseService(configs: configs, plans: .standard, work: .outbox), work: .outbox,
                log: api.controller.appLog)
            try await service.end(run, as: .live, "http://myapp.workflow.localhost", in: api.database)
        }

        @Test func newestPushSupersedesTheOneBefore() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let builder = try api.machine(scope: ["controller:hook"])
                let first = try #require(try await push(api, builder).json["id"]?.stringValue)
                #expect(try await claim(api, builder, first).status == 200)
                let second = try #require(try await push(api, builder, key: "sources/2").json["id"]?.stringValue)
                let beat = try await api.call(
                    .post, "/v2/hooks/build-runs/\(first)/heartbeat", #"{"fence":1}"#, as: builder)
                #expect(beat.status == 409)
                try expectJSON(beat, #"{"state":"superseded"}"#)
                try expectJSON(try await claim(api, builder, first), #"{"state":"superseded"}"#)
                let events = try await api.call(.get, "/v2/hooks/build-runs/\(first)/events", as: builder)
                #expect(events.text.contains(#""state":"superseded""#) && events.text.contains(#""exit":1"#))
                #expect(try await claim(api, builder, second).status == 200)
            }
        }

        @Test func expiredClaimIsTakenOverAndItsHolderFencedOff() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let builder = try api.machine(scope: ["controller:hook"])
                let id = try #require(try await push(api, builder).json["id"]?.stringValue)
                _ = try await claim(api, builder, id)
                try await api.database.execute("UPDATE build_runs SET lease_expires = now() - interval '1 second'")
                let taken = try await claim(api, builder, id, holder: "builder-2")
                #expect(try taken.json["fence"] == 2)
                let late = #"{"fence":1,"lines":[{"phase":"build","text":"late"}]}"#
                #expect(try await api.call(.post, "/v2/hooks/build-runs/\(id)/log", late, as: builder).status == 409)
                let failed = #"{"fence":2,"phase":"build","reason":"RUN false failed","hint":"line 3"}"#
                #expect(
                    try await api.call(.post, "/v2/hooks/build-runs/\(id)/failed", failed, as: builder).status == 204)
                #expect(
                    try await api.call(.post, "/v2/hooks/build-runs/\(id)/failed", failed, as: builder).status == 204)
            }
        }

        @Test func pushesAreAuthorizedByRole() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                _ = try await api.signUp("eve", id: 9)
                let builder = try api.machine(scope: ["controller:hook"])
                #expect(try await push(api, builder, user: "eve").status == 403)
                #expect(try await push(api, builder, user: "nobody").status == 404)
                let config = #"{"receive_user":"ada","receive_repo":"myapp"}"#
                #expect(try await api.call(.post, "/v2/hooks/config/", config, as: builder).json["app"] == "myapp")
                let foreign = #"{"receive_user":"eve","receive_repo":"myapp"}"#
                let refused = try await api.call(.post, "/v2/hooks/config/", foreign, as: builder)
                #expect(refused.status == 403 && refused.text.isEmpty)
            }
        }

        @Test func grantOfABuildIsGoodForItsRepositoryOnly() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let builder = try api.machine(scope: ["controller:hook"])
                let id = try #require(try await push(api, builder).json["id"]?.stringValue)
                let password = try #require(
                    try await claim(api, builder, id).json["registry_password"]?.stringValue)
                let basic = "Basic " + Base64.encode("grant:\(password)".utf8)
                let path = "/v2/registry/token?service=workflow-registry"
                let wanted = "\(path)&scope=repository:myapp/myapp:pull,push&scope=repository:other/other:pull"
                let answer = try await api.call(.get, wanted, headers: [.authorization: basic])
                #expect(answer.status == 200)
                let token = try #require(try answer.json["token"]?.stringValue)
                let verifier = try await RegistryTokenVerifier(
                    publicKeysPEM: try KeyPair(pem: api.configuration.registryKey.reveal()).publicKey.pem,
                    issuer: "workflow-controller", service: "workflow-registry")
                let claims = try await verifier.verify(token)
                #expect(claims.access == [RegistryAccess(name: "myapp/myapp", actions: ["pull", "push"])])
                let user = "Basic " + Base64.encode("ada:\(ada)".utf8)
                #expect(try await api.call(.get, wanted, headers: [.authorization: user]).status == 200)
                let wrong = "Basic " + Base64.encode("ada:nope".utf8)
                #expect(try await api.call(.get, wanted, headers: [.authorization: wrong]).status == 401)
                #expect(try await api.call(.get, path).status == 401)
            }
        }
    }
}
