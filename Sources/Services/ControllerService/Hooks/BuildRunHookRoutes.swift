import FoundationEssentials
import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres
import ServiceHTTP

/// How builders open, claim, report and end build runs.
struct BuildRunHookRoutes: Sendable {
    /// Log lines one call may bring.
    static let lineLimit = 1000
    private static let base = "/v2/hooks/build-runs"

    let service: BuildRunService
    let access: HookAccess
    let orders: BuildOrders
    let events: BuildRunEventStream

    func addRoutes(to routes: RouteCatalog) {
        let scope = MachineScope.hook
        routes.machine(.post, "\(Self.base)/", scope: scope) { call in
            let form = Form(try await call.members())
            let member = try await access.member(form, atLeast: .member)
            let run = try await service.open(try Self.new(form, member), app: member.app)
            return try Reply.created([
                "id": JSONValue(run.uuid), "app": .string(member.app.id.text), "number": .integer(run.number),
            ])
        }
        routes.machine(.post, "\(Self.base)/{run}/claim/", scope: scope) { call in
            let uuid = try Self.run(call.parameter("run"))
            var form = try await call.form()
            let holder = form.text("holder", limit: 128)
            try form.validated()
            return try await claim(uuid, holder: holder)
        }
        routes.machine(.post, "\(Self.base)/{run}/heartbeat/", scope: scope) { call in
            let (uuid, fence, _) = try await Self.fenced(call)
            let run = try await service.renew(uuid, fence: fence)
            return try Reply.json(["cancelled": .bool(run.isCancelRequested)])
        }
        routes.machine(.get, "\(Self.base)/{run}/events/", scope: scope) { call in
            let run = try await service.find(try Self.run(call.parameter("run")))
            return events.response(run: run.uuid, from: max(Int(call.query("from") ?? "") ?? 0, 0))
        }
        routes.machine(.post, "\(Self.base)/sources/", scope: scope) { call in
            let keys = try Self.keys(try await call.form())
            return try Reply.json(["needed": JSONValue(try await service.neededSources(among: keys))])
        }
        addReports(to: routes, scope: scope)
    }

    private func addReports(to routes: RouteCatalog, scope: String) {
        routes.machine(.post, "\(Self.base)/{run}/log/", scope: scope) { call in
            let (uuid, fence, form) = try await Self.fenced(call)
            try await service.append(try Self.lines(form), to: uuid, fence: fence)
            return Reply.noContent
        }
        routes.machine(.post, "\(Self.base)/{run}/phase/", scope: scope) { call in
            let (uuid, fence, given) = try await Self.fenced(call)
            var form = given
            let phase = form.text("phase", limit: 32)
            let text = form.optionalText("text", limit: 1000) ?? ""
            try form.validated()
            let seconds = Self.seconds(form.members["seconds"])
            try await service.append([.phase(phase, text, seconds: seconds)], to: uuid, fence: fence)
            return Reply.noContent
        }
        routes.machine(.post, "\(Self.base)/{run}/result/", scope: scope) { call in
            let (uuid, fence, form) = try await Self.fenced(call)
            let run = try await service.find(uuid)
            let release = try await service.finish(
                uuid, fence: fence, with: try Self.content(form.members, sha: run.sha))
            return try Reply.json(["release": ["version": .integer(release.version.value)]])
        }
        routes.machine(.post, "\(Self.base)/{run}/failed/", scope: scope) { call in
            let (uuid, fence, given) = try await Self.fenced(call)
            var form = given
            let phase = form.text("phase", limit: 32)
            let reason = form.text("reason", limit: 4000)
            let hint = form.optionalText("hint", limit: 4000) ?? ""
            try form.validated()
            try await service.fail(uuid, fence: fence, phase: phase, reason: reason, hint: hint)
            return Reply.noContent
        }
    }

    private func claim(_ uuid: UUID, holder: String) async throws -> Response {
        switch try await service.claim(uuid, holder: holder) {
        case .granted(let run): return try Reply.json(try await orders.order(for: run))
        case .over(let state): throw Refusal(.conflict, .json(["state": .string(state.rawValue)]))
        case .held(let other, let seconds):
            throw Refusal(.locked, .json(["holder": .string(other), "expires_in": .integer(seconds)]))
        }
    }

    private static func run(_ text: String) throws(Refusal) -> UUID {
        guard let uuid = UUID(uuidString: text) else { throw .notFound("BuildRun") }
        return uuid
    }

    private static func fenced<Caller>(_ call: Call<Caller>) async throws -> (UUID, Int, Form) {
        let uuid = try run(try call.parameter("run"))
        var form = try await call.form()
        guard let fence = form.optionalInteger("fence") else { throw Refusal.field("fence", "This field is required.") }
        try form.validated()
        return (uuid, fence, form)
    }

    private static func new(_ given: Form, _ member: AppMember) throws -> BuildRunStore.New {
        var form = given
        let sha = form.text("sha", limit: 64)
        let ref = form.text("ref", limit: 512)
        let message = form.optionalText("message") ?? ""
        let key = form.text("source_key", limit: 1024)
        let digest = form.text("source_digest", limit: 256)
        let size = form.optionalInteger("source_size") ?? 0
        if !(40...64).contains(sha.utf8.count) || !sha.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) {
            form.refuse("sha", "A full commit id is expected.")
        }
        if size < 0 { form.refuse("source_size", "Ensure this value is greater than or equal to 0.") }
        try form.validated()
        return BuildRunStore.New(
            app: member.app.uuid, username: member.user.username, sha: sha, ref: ref,
            message: String(message.prefix(4000)), sourceKey: key, sourceDigest: digest, sourceSize: size)
    }

    private static func keys(_ form: Form) throws -> [String] {
        guard case .array(let entries)? = form.members["keys"], entries.count <= lineLimit else {
            throw Refusal.field("keys", "An array of at most \(lineLimit) source keys is expected.")
        }
        return try entries.map { entry in
            guard let key = entry.stringValue else { throw Refusal.field("keys", "A source key is a text.") }
            return key
        }
    }

    private static func lines(_ form: Form) throws -> [BuildRunEvent] {
        guard case .array(let entries)? = form.members["lines"], entries.count <= lineLimit else {
            throw Refusal.field("lines", "An array of at most \(lineLimit) lines is expected.")
        }
        return try entries.map { entry in
            guard let text = entry["text"]?.stringValue else { throw Refusal.field("lines", "Each line needs a text.") }
            return .line(entry["phase"]?.stringValue ?? "build", String(text.prefix(8192)))
        }
    }

    private static func seconds(_ value: JSONValue?) -> Double {
        switch value {
        case .number(let number)?: max(number, 0)
        case .integer(let number)?: Double(max(number, 0))
        default: 0
        }
    }

    /// The result as a build: its members are those of a build request, with `stack` defaulting to `container`.
    private static func content(_ members: [String: JSONValue], sha: String) throws -> BuildContent {
        var members = members
        members["sha"] = .string(String(sha.prefix(40)))
        if members["stack"].map({ $0.isNull }) ?? true { members["stack"] = "container" }
        var content = try BuildRule.content(members, allowsLoopback: true)
        content.port = members["port"]?.looseInteger.flatMap { (1...65_535).contains($0) ? $0 : nil }
        content.size = members["size"]?.looseInteger
        return content
    }
}
