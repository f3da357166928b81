import HTTPTypes
import PlatformModel
import Postgres
import Testing

@testable import ControllerService

extension APITests {
    @Suite struct ReleaseRoutesTests {
        @Test func buildMakesAReleaseAndADeployment() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let build = try await api.call(
                    .post, "/v2/apps/myapp/build/",
                    #"""
                    {"image":"registry.example.com/team/app:1","stack":"container",\#
                    "procfile":{"web":"./server"},"sha":""}
                    """#,
                    as: ada)
                #expect(build.status == 201)
                try expectJSON(
                    build,
                    """
                    {"app":"myapp","image":"registry.example.com/team/app:1","stack":"container","sha":"",
                     "procfile":{"web":"./server"},"dryccfile":{},"dockerfile":"",\
                    "created":"*","updated":"*","uuid":"*"}
                    """)
                let list = try await api.call(.get, "/v2/apps/myapp/releases/", as: ada)
                let newest = try #require(try list.json["results"]?.arrayValue?.first)
                #expect(newest["summary"] == "acme1 deployed registry.example.com/team/app:1")
                #expect(newest["state"] == "created" && newest["version"] == 2)
                #expect(newest["deployed_ptypes"] == ["web"])
                #expect(newest["conditions"] == [] && newest["exception"]?.isNull == true)
                #expect(api.work.all.count == 1)
                #expect(try await api.call(.get, "/v2/apps/myapp/", as: ada).json["structure"] == ["web": 1])
            }
        }

        @Test func configChangesAreMergedReleasedAndSealed() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let set = try await api.call(
                    .post, "/v2/apps/myapp/config/?merge=true",
                    #"{"values":[{"group":"global","name":"FOO","value":"plain-secret"}]}"#, as: ada)
                #expect(set.status == 201)
                try expectJSON(
                    set,
                    """
                    {"uuid":"*","app":"myapp","values":[{"group":"global","name":"FOO","value":"plain-secret"}],
                     "values_refs":{},"limits":{"run":"std1.large.c1m1","web":"std1.large.c1m1"},
                     "termination_grace_period":{},"tags":{},"registry":{},"healthcheck":{},"lifecycle":{},
                     "created":"*","updated":"*"}
                    """)
                let release = try await api.call(.get, "/v2/apps/myapp/releases/v2/", as: ada)
                #expect(try release.json["summary"] == "acme1 added values FOO")
                let same = try await api.call(
                    .post, "/v2/apps/myapp/config/?merge=true",
                    #"{"values":[{"group":"global","name":"FOO","value":"plain-secret"}]}"#, as: ada)
                #expect(same.status == 409)
                try expectJSON(same, #"{"detail":"acme1 changed nothing - release stopped"}"#)
                let unset = try await api.call(
                    .post, "/v2/apps/myapp/config/?merge=true",
                    #"{"values":[{"group":"global","name":"FOO","value":null}]}"#, as: ada)
                #expect(try unset.json["values"] == [])
                let clear = try await api.database.query(
                    "SELECT count(*) AS found FROM configs WHERE encode(sealed, 'escape') LIKE '%plain-secret%'")
                #expect(try clear.one().decode("found", as: Int.self) == 0)
                let old = try await api.call(.get, "/v2/apps/myapp/config/?version=v2", as: ada)
                #expect(try old.json["values"]?.arrayValue?.count == 1)
            }
        }

        private static let badConfigs = [
            (#"{"values":[{"group":"global","name":"A B","value":"1"}]}"#, 400),
            (#"{"values":[{"group":"global","name":"PORT","value":"http"}]}"#, 400),
            (#"{"values":[{"name":"A","value":"1"}]}"#, 400), (#"{"limits":{"web":"nope"}}"#, 400),
            (#"{"limits":{"zzz":null}}"#, 422), (#"{"tags":{"web":{"ssd":null}}}"#, 422),
            (#"{"tags":{"web":{"ssd":"true"}}}"#, 400),
            (#"{"tags":{"web":{}}}"#, 422), (#"{"healthcheck":{"web":{"livenessProbe":{}}}}"#, 400),
            (#"{"values":"x"}"#, 400), (#"{"values":[{"group":"global","name":"A","value":"a\u0000"}]}"#, 400),
        ]

        @Test func badConfigIsRefused() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                for (body, status) in Self.badConfigs {
                    let answer = try await api.call(.post, "/v2/apps/myapp/config/", body, as: ada)
                    #expect(answer.status == status, "\(answer.text)")
                }
            }
        }

        @Test func groupsAreAttachedAndDetached() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let attached = try await api.call(
                    .post, "/v2/apps/myapp/config/?merge=true", #"{"values_refs":{"web":["g1","g2"]}}"#, as: ada)
                #expect(try attached.json["values_refs"] == ["web": ["g1", "g2"]])
                let detached = try await api.call(
                    .delete, "/v2/apps/myapp/config/", #"{"values_refs":{"web":["g1"]}}"#, as: ada)
                #expect(detached.status == 200 && detached.text.isEmpty)
                #expect(
                    try await api.call(.get, "/v2/apps/myapp/config/", as: ada).json["values_refs"]
                        == ["web": ["g2"]])
                try expectJSON(
                    try await api.call(.delete, "/v2/apps/myapp/config/", "{}", as: ada),
                    #"{"detail":"ptype or groups is required"}"#)
            }
        }

        @Test func rollbackGoesToTheReleaseBefore() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let initial = try await api.call(
                    .post, "/v2/apps/myapp/releases/rollback/", #"{"version":1}"#, as: ada)
                try expectJSON(initial, #"{"detail":"Cannot roll back to initial release."}"#)
                try await api.build(image: "registry.example.com/team/app:1", as: ada)
                try await api.markDeployed()
                try await api.build(image: "registry.example.com/team/app:2", as: ada)
                try await api.markDeployed()
                let back = try await api.call(.post, "/v2/apps/myapp/releases/rollback/", as: ada)
                #expect(back.status == 201)
                try expectJSON(back, #"{"version":4}"#)
                let release = try await api.call(.get, "/v2/apps/myapp/releases/v4/", as: ada)
                #expect(try release.json["summary"] == "ada rolled back to v2")
                let build = try await api.call(.get, "/v2/apps/myapp/build/?version=4", as: ada)
                #expect(try build.json["image"] == "registry.example.com/team/app:1")
                try expectJSON(
                    try await api.call(.post, "/v2/apps/myapp/releases/rollback/", #"{"version":99}"#, as: ada),
                    #"{"detail":"Release matching query does not exist."}"#)
            }
        }

        @Test func deployRefusesWhileAnotherRunsUnlessForced() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                try expectJSON(
                    try await api.call(.post, "/v2/apps/myapp/releases/deploy/", "{}", as: ada),
                    #"{"detail":"there are no builds available for deploy"}"#)
                try await api.build(as: ada)
                let busy = try await api.call(
                    .post, "/v2/apps/myapp/releases/deploy/", #"{"ptypes":"web","force":false}"#, as: ada)
                try expectJSON(
                    busy,
                    #"{"detail":"there is an executing pipeline, please wait or force deploy: ['web']"}"#)
                #expect(
                    try await api.call(
                        .post, "/v2/apps/myapp/releases/deploy/", #"{"ptypes":"","force":true}"#, as: ada
                    ).status == 204)
                try expectJSON(
                    try await api.call(
                        .post, "/v2/apps/myapp/releases/deploy/", #"{"ptypes":"nope","force":true}"#, as: ada),
                    #"{"detail":"process type nope is not exists"}"#)
            }
        }

        @Test func failedReleasesAreNotTheBaseOfTheNext() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                try await api.build(as: ada)
                try await api.markDeployed()
                let body = #"{"values":[{"group":"global","name":"BAD","value":"1"}]}"#
                try await api.call(.post, "/v2/apps/myapp/config/", body, as: ada)
                try await api.markDeployed(state: .crashed)
                let next = try await api.call(
                    .post, "/v2/apps/myapp/config/", #"{"values":[{"group":"global","name":"GOOD","value":"1"}]}"#,
                    as: ada)
                #expect(try next.json["values"]?.arrayValue?.compactMap { $0["name"]?.stringValue } == ["GOOD"])
                let crashed = try await api.call(.get, "/v2/apps/myapp/releases/v3/", as: ada)
                #expect(try crashed.json["failed"] == true && crashed.json["state"] == "crashed")
                #expect(try crashed.json["conditions"]?.arrayValue?.first?["exception"] == "boom")
            }
        }

        @Test func simultaneousChangesGetTheirOwnNumbers() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                    for number in 0..<6 {
                        group.addTask {
                            try await api.call(
                                .post, "/v2/apps/myapp/config/",
                                #"{"values":[{"group":"global","name":"N\#(number)","value":"1"}]}"#, as: ada
                            ).status
                        }
                    }
                    return try await group.reduce(into: [Int]()) { $0.append($1) }
                }
                #expect(statuses.allSatisfy { $0 == 201 })
                let config = try await api.call(.get, "/v2/apps/myapp/config/", as: ada)
                #expect(try config.json["values"]?.arrayValue?.count == 6)
                #expect(try await api.call(.get, "/v2/apps/myapp/releases/", as: ada).json["count"] == 7)
            }
        }
    }
}
