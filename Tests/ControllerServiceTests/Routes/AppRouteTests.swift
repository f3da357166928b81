import HTTPTypes
import PlatformModel
import Testing

@testable import ControllerService

extension APITests {
    @Suite struct AppRoutesTests {
        @Test func appIsCreatedListedReadAndDestroyed() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.call(.post, "/v2/workspaces", #"{"id":"acme1","email":"ops@example.com"}"#, as: ada)
                let created = try await api.call(.post, "/v2/apps/", #"{"id":"myapp","workspace":"acme1"}"#, as: ada)
                #expect(created.status == 201)
                let wire =
                    #"{"uuid":"*","id":"myapp","uid":1,"workspace":"acme1","structure":{},"created":"*","updated":"*"}"#
                try expectJSON(created, wire)
                try expectJSON(
                    try await api.call(.get, "/v2/apps/?workspace=acme1&limit=0", as: ada),
                    #"{"count":1,"next":null,"previous":null,"results":[\#(wire)]}"#)
                try expectJSON(try await api.call(.get, "/v2/apps/myapp/", as: ada), wire)
                let release = try await api.call(.get, "/v2/apps/myapp/releases/v1/", as: ada)
                #expect(try release.json["summary"] == "acme1 created initial release")
                #expect(try await api.call(.delete, "/v2/apps/myapp/", as: ada).status == 204)
                #expect(try await api.call(.get, "/v2/apps/myapp/", as: ada).status == 404)
                guard case .destroy? = api.work.all.last else {
                    Issue.record("no task removes what runs")
                    return
                }
                let again = try await api.call(.post, "/v2/apps/", #"{"id":"myapp","workspace":"acme1"}"#, as: ada)
                #expect(again.status == 400)
            }
        }

        private static let badApps = [
            (
                #"{"id":"x","workspace":"acme1"}"#, "id",
                """
                App name must start with an alphabetic character, cannot end with a hyphen and can only contain \
                a-z (lowercase), 0-9 and hyphens.
                """
            ),
            (
                #"{"id":"../etc","workspace":"acme1"}"#, "id",
                """
                App name must start with an alphabetic character, cannot end with a hyphen and can only contain \
                a-z (lowercase), 0-9 and hyphens.
                """
            ),
            (#"{"id":"drycc-foo","workspace":"acme1"}"#, "id", "drycc-foo is a reserved name."),
            (#"{"id":"myapp","workspace":"acme1"}"#, "id", "Application with this id already exists."),
            (#"{"id":"other"}"#, "workspace", "This field is required."),
            (#"{"id":"other","workspace":"nope1"}"#, "workspace", "Object with id=nope1 does not exist."),
            (#"{"id":["a"],"workspace":"acme1"}"#, "id", "Not a valid string."),
        ]

        @Test func badAppsAreNamed() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                for (body, field, sentence) in Self.badApps {
                    let answer = try await api.call(.post, "/v2/apps/", body, as: ada)
                    #expect(answer.status == 400)
                    #expect(try answer.json[field] == .array([.string(sentence)]), "\(answer.text)")
                }
            }
        }

        @Test func nameIsMadeWhenLeftOut() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let answer = try await api.call(.post, "/v2/apps/", #"{"workspace":"acme1"}"#, as: ada)
                let id = try #require(try answer.json["id"]?.stringValue)
                #expect(id.count == 15 && id.split(separator: "-").map(\.count) == [6, 8])
            }
        }

        @Test func infoReadsWhatTheCommandLineNeeds() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                try expectJSON(
                    try await api.call(.get, "/v2/apps/myapp/pods/?limit=-1", as: ada), #"{"results":[],"count":0}"#)
                try expectJSON(
                    try await api.call(.get, "/v2/apps/myapp/domains/?limit=1", as: ada),
                    #"{"count":0,"next":null,"previous":null,"results":[]}"#)
                try expectJSON(
                    try await api.call(.get, "/v2/apps/myapp/settings/", as: ada),
                    """
                    {"uuid":"*","app":"myapp","routable":true,"autodeploy":true,"autorollback":true,"autoscale":{},
                     "label":{},"created":"*","updated":"*"}
                    """)
                try expectJSON(
                    try await api.call(.get, "/v2/apps/myapp/build/", as: ada),
                    """
                    {"app":null,"image":"","stack":"","sha":"","procfile":null,"dryccfile":null,"dockerfile":""}
                    """)
                try expectJSON(try await api.call(.get, "/v2/apps/myapp/services/", as: ada), #"{"services":[]}"#)
                #expect(try await api.call(.get, "/v2/apps/myapp/tls/", as: ada).json["events"] == [])
            }
        }

        @Test func transferNeedsAnAdminAndATarget() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                try await api.call(.post, "/v2/workspaces", #"{"id":"other1","email":"o@example.com"}"#, as: ada)
                let missing = try await api.call(.patch, "/v2/apps/myapp/", "{}", as: ada)
                #expect(missing.status == 400)
                try expectJSON(missing, #"["workspace is required"]"#)
                #expect(try await api.call(.patch, "/v2/apps/myapp/", #"{"workspace":"nope1"}"#, as: ada).status == 404)
                #expect(
                    try await api.call(.patch, "/v2/apps/myapp/", #"{"workspace":"other1"}"#, as: ada).status == 204)
                #expect(try await api.call(.get, "/v2/apps/myapp/", as: ada).json["workspace"] == "other1")
            }
        }

        @Test func runNeedsABuildAndACommand() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let body = #"{"command":"rake db:migrate","timeout":3600,"expires":3600}"#
                let early = try await api.call(.post, "/v2/apps/myapp/run", body, as: ada)
                try expectJSON(early, #"{"detail":"no build available, please deploy a release"}"#)
                try await api.build(as: ada)
                #expect(try await api.call(.post, "/v2/apps/myapp/run", body, as: ada).status == 204)
                guard case .run? = api.work.all.last else {
                    Issue.record("no task starts the command")
                    return
                }
                try expectJSON(
                    try await api.call(.post, "/v2/apps/myapp/run", "{}", as: ada),
                    #"{"detail":"command is a required field, or it can be defined in Procfile"}"#)
            }
        }
    }

    @Suite struct WorkspaceRoutesTests {
        @Test func workspacesHaveMembersWhoJoinByInvitation() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                let bob = try await api.signUp("bob", id: 8)
                let created = try await api.call(
                    .post, "/v2/workspaces", #"{"id":"acme1","email":"ops@example.com"}"#, as: ada)
                #expect(created.status == 201)
                try expectJSON(
                    created,
                    #"{"uuid":"*","created":"*","updated":"*","id":"acme1","uid":1,"email":"ops@example.com"}"#)
                #expect(try await api.call(.get, "/v2/workspaces/acme1", as: bob).status == 404)
                let invited = try await api.call(
                    .post, "/v2/workspaces/acme1/invitations", #"{"email":"bob@example.com"}"#, as: ada)
                #expect(invited.status == 201)
                #expect(try invited.json["token"]?.stringValue?.count == 128)
                let members = try await api.call(.get, "/v2/workspaces/acme1/members", as: bob)
                #expect(try members.json["count"] == 2)
                let change = try await api.call(
                    .patch, "/v2/workspaces/acme1/members/bob", #"{"role":"viewer"}"#, as: ada)
                try expectJSON(
                    change,
                    """
                    {"id":"*","user":"bob","email":"bob@example.com","workspace":"acme1","role":"viewer","alerts":true,
                     "created":"*","updated":"*"}
                    """)
                #expect(
                    try await api.call(
                        .patch, "/v2/workspaces/acme1/members/bob", #"{"role":"admin"}"#, as: bob
                    ).status == 403)
                #expect(try await api.call(.delete, "/v2/workspaces/acme1", as: ada).status == 403)
                #expect(try await api.call(.delete, "/v2/workspaces/acme1/members/bob", as: ada).status == 204)
                #expect(try await api.call(.delete, "/v2/workspaces/acme1", as: ada).status == 204)
            }
        }

        @Test func takenAndBadWorkspacesAreRefused() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                let body = #"{"id":"acme1","email":"ops@example.com"}"#
                try await api.call(.post, "/v2/workspaces", body, as: ada)
                #expect(try await api.call(.post, "/v2/workspaces", body, as: ada).status == 400)
                let mail = try await api.call(.post, "/v2/workspaces", #"{"id":"acme2","email":"nope"}"#, as: ada)
                try expectJSON(mail, #"{"email":["Enter a valid email address."]}"#)
                #expect(
                    try await api.call(
                        .post, "/v2/workspaces", #"{"id":"backup","email":"a@example.com"}"#, as: ada
                    ).status == 400)
            }
        }
    }
}
