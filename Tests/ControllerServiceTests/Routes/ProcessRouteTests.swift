import AccessTokens
import FoundationEssentials
import HTTPTypes
import PlatformModel
import Postgres
import Testing

@testable import ControllerService

extension APITests {
    @Suite struct ProcessRoutesTests {
        @Test func scaleRestartAndCleanHandWorkOver() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                try expectJSON(
                    try await api.call(.post, "/v2/apps/myapp/ptypes/scale/", #"{"web":2}"#, as: ada),
                    #"{"detail":"no build available, please deploy a release"}"#)
                try await api.build(as: ada)
                let before = api.work.all.count
                #expect(
                    try await api.call(
                        .post, "/v2/apps/myapp/ptypes/scale/", #"{"web":3,"worker":1}"#, as: ada
                    ).status == 204)
                #expect(
                    try await api.call(.get, "/v2/apps/myapp/", as: ada).json["structure"] == ["web": 3, "worker": 1])
                #expect(
                    try await api.call(
                        .post, "/v2/apps/myapp/ptypes/restart/", #"{"ptypes":""}"#, as: ada
                    ).status == 204)
                #expect(api.work.all.count == before + 2)
                try expectJSON(
                    try await api.call(.post, "/v2/apps/myapp/ptypes/restart/", #"{"ptypes":"nope"}"#, as: ada),
                    #"{"detail":"process type nope is not included in procfile"}"#)
                try expectJSON(
                    try await api.call(.post, "/v2/apps/myapp/ptypes/clean/", "{}", as: ada),
                    #"{"detail":"ptypes is a required field"}"#)
                try expectJSON(
                    try await api.call(.post, "/v2/apps/myapp/ptypes/clean/", #"{"ptypes":"web"}"#, as: ada),
                    #"{"detail":"ptype web should not garbage."}"#)
                for body in [#"{"run":1}"#, #"{"web":-1}"#, #"{"web":"x"}"#, #"{"web":99999999}"#] {
                    #expect(try await api.call(.post, "/v2/apps/myapp/ptypes/scale/", body, as: ada).status == 400)
                }
            }
        }

        @Test func podsAndTypesAreReadFromWhatWasObserved() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                try await api.build(as: ada)
                let app = try #require(try await AppStore().find(named: try AppName("myapp"), in: api.database))
                var pod = ObservedPod(
                    name: "myapp-web-0123456789-abcde", app: app.uuid, ptype: "web", release: 2, state: "up",
                    container: "myapp-web", image: "a/b")
                pod.isReady = true
                pod.arguments = ["./server"]
                pod.containerState = ["running": ["startedAt": "2026-05-10T16:08:09Z"]]
                try await ObservedPodStore().put(pod, in: api.database)
                try await AppEventStore().add(
                    app: app.uuid, ptype: "web", pod: nil, reason: "Deployed", message: "v2", in: api.database)
                try expectJSON(
                    try await api.call(.get, "/v2/apps/myapp/pods/?limit=1000", as: ada),
                    """
                    {"count":1,"results":[{"name":"myapp-web-0123456789-abcde","state":"up","release":"v2","type":"web",
                     "started":"*","ready":"1/1","restarts":0}]}
                    """)
                try expectJSON(
                    try await api.call(.get, "/v2/apps/myapp/pods/\(pod.name)/describe/?limit=1000", as: ada),
                    """
                    {"count":1,"results":[{"container":"myapp-web","image":"a/b","command":[],"args":["./server"],
                     "state":{"running":{"startedAt":"2026-05-10T16:08:09Z"}},"lastState":{},"ready":true,
                     "restartCount":0,"status":"Running","reason":"","message":""}]}
                    """)
                let types = try await api.call(.get, "/v2/apps/myapp/ptypes/?limit=1000", as: ada)
                try expectJSON(
                    types,
                    """
                    {"count":2,"results":[
                     {"name":"web","release":"v2","ready":"1/1","garbage":false,"up_to_date":1,"available_replicas":1,
                      "started":"*"},
                     {"name":"worker","release":"v2","ready":"0/0","garbage":false,"up_to_date":0,
                      "available_replicas":0,"started":"*"}]}
                    """)
                let described = try await api.call(
                    .get, "/v2/apps/myapp/ptypes/myapp-web/describe/?limit=1000", as: ada)
                #expect(try described.json["results"]?.arrayValue?.first?["limits"] == ["cpu": "1", "memory": "1Gi"])
                let events = try await api.call(.get, "/v2/apps/myapp/events/?ptype=myapp-web&limit=1000", as: ada)
                #expect(try events.json["count"] == 1)
                let gone = try await api.call(.get, "/v2/apps/myapp/pods/nope/describe/", as: ada)
                try expectJSON(gone, #"{"detail":"this process not found"}"#)
                let deleted = try await api.call(
                    .delete, "/v2/apps/myapp/pods/", #"{"pod_ids":"\#(pod.name),unknown"}"#, as: ada)
                #expect(deleted.status == 200 && deleted.text.isEmpty)
                let asked = try await ObservedPodStore().deletionRequests(of: app.uuid, in: api.database)
                #expect(asked == [pod.name])
            }
        }

        @Test func domainsAreUniqueAndRouted() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let added = try await api.call(
                    .post, "/v2/apps/myapp/domains/", #"{"domain":"WWW.Foo.com.","ptype":"web"}"#, as: ada)
                #expect(added.status == 201)
                try expectJSON(
                    added, #"{"created":"*","updated":"*","app":"myapp","domain":"www.foo.com","ptype":"web"}"#)
                try expectJSON(
                    try await api.call(
                        .post, "/v2/apps/myapp/domains/", #"{"domain":"www.foo.com","ptype":"web"}"#, as: ada),
                    #"{"domain":["Domain is already in use by another application"]}"#)
                let umlaut = try await api.call(
                    .post, "/v2/apps/myapp/domains/", #"{"domain":"bücher.example","ptype":"web"}"#, as: ada)
                #expect(try umlaut.json["domain"] == "xn--bcher-kva.example")
                let router = try api.machine("router", scope: ["controller:routes"])
                let table = try await api.call(.get, "/v2/platform/routes?after=0&wait=0", as: router)
                #expect(table.status == 200)
                let hosts = try #require(try table.json["hosts"]?.arrayValue)
                #expect(
                    hosts.compactMap { $0["host"]?.stringValue } == [
                        "myapp.workflow.localhost", "www.foo.com", "xn--bcher-kva.example",
                    ])
                #expect(hosts.allSatisfy { $0["state"] == "no_process" })
                let version = try #require(try table.json["version"]?.integerValue)
                let same = try await api.call(.get, "/v2/platform/routes?after=\(version)&wait=0", as: router)
                #expect(same.status == 304)
                let applied = #"{"version":\#(version)}"#
                #expect(try await api.call(.post, "/v2/platform/routes/applied", applied, as: router).status == 204)
                #expect(
                    try await api.call(.delete, "/v2/apps/myapp/domains/b%C3%BCcher.example", as: ada).status == 204)
                #expect(try await api.call(.delete, "/v2/apps/myapp/domains/nope.example", as: ada).status == 404)
            }
        }

        @Test func settingsAndServicesChange() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let off = try await api.call(.post, "/v2/apps/myapp/settings/", #"{"routable":false}"#, as: ada)
                #expect(off.status == 201)
                #expect(try off.json["routable"] == false && off.json["autodeploy"] == true)
                let same = try await api.call(.post, "/v2/apps/myapp/settings/", #"{"routable":false}"#, as: ada)
                #expect(same.status == 409)
                try expectJSON(same, #"{"detail":"acme1 changed nothing"}"#)
                let scale = #"{"autoscale":{"web":{"min":1,"max":3,"cpu_percent":40}}}"#
                #expect(
                    try await api.call(.post, "/v2/apps/myapp/settings/", scale, as: ada).json["autoscale"]
                        == ["web": ["min": 1, "max": 3, "cpu_percent": 40]])
                let gone = try await api.call(
                    .post, "/v2/apps/myapp/settings/", #"{"autoscale":{"worker":null}}"#, as: ada)
                #expect(gone.status == 422)
                try expectJSON(gone, #"{"detail":"worker does not exist under autoscale"}"#)
                let port = #"{"ptype":"worker","port":5000,"protocol":"UDP","target_port":5000}"#
                #expect(try await api.call(.post, "/v2/apps/myapp/services/", port, as: ada).status == 201)
                try expectJSON(
                    try await api.call(.post, "/v2/apps/myapp/services/", port, as: ada),
                    #"{"detail":"port is occupied"}"#)
                try expectJSON(
                    try await api.call(.get, "/v2/apps/myapp/services/", as: ada),
                    """
                    {"services":[{"name":"myapp-worker","domain":"myapp-worker.myapp.svc","ptype":"worker",
                     "ports":[{"name":"udp-5000","port":5000,"protocol":"UDP","targetPort":5000}]}]}
                    """)
                let remove = #"{"ptype":"worker","port":5000,"protocol":"UDP"}"#
                #expect(try await api.call(.delete, "/v2/apps/myapp/services/", remove, as: ada).status == 204)
                let tls = try await api.call(.post, "/v2/apps/myapp/tls/", #"{"https_enforced":true}"#, as: ada)
                #expect(tls.status == 201)
                #expect(try tls.json["https_enforced"] == true)
            }
        }
    }
}
