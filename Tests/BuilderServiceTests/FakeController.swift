import FoundationEssentials
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import ServiceHTTP
import Synchronization

@testable import BuilderService

/// The build hooks of a controller, kept in memory and served on a port of their own.
final class FakeController: Sendable {
    struct Run {
        let id: String
        let number: Int
        let record: [String: String]
        var events: [String] = []
        var isOver = false
        var state: String?
        var fence = 0
        var holder: String?
        /// How many claims of others the holder's lease outlasts.
        var refusals = 0
        /// How often a result was taken.
        var results = 0
        var isCancelled = false
        var result: String?
        var failure: String?
        var followers: [Int: AsyncStream<String>.Continuation] = [:]
    }

    private struct State {
        var keys: [String: String] = [:]
        var members: [String: Set<String>] = [:]
        var runs: [Run] = []
        var nextFollower = 0
        var cutsAfter: Int?
        var outage = 0
        var repository = "127.0.0.1:5000/shop1/shop1"
        var registryPassword = "secret-of-the-registry"
    }

    /// What happens to a run as soon as it is opened.
    let script: @Sendable (FakeController, Run) -> Void
    private let state = Mutex(State())

    init(script: @escaping @Sendable (FakeController, Run) -> Void = { $0.finish($1.id, live: true) }) {
        self.script = script
    }

    // MARK: What tests set and see

    func add(key fingerprint: String, user: String) { state.withLock { $0.keys[fingerprint] = user } }
    func add(user: String, to app: String) { state.withLock { _ = $0.members[app, default: []].insert(user) } }
    var runs: [Run] { state.withLock { $0.runs } }

    /// Every event stream ends after this many events.
    func cutStreams(after count: Int?) { state.withLock { $0.cutsAfter = count } }

    /// The next requests are answered with 503.
    func fail(next count: Int) { state.withLock { $0.outage = count } }

    /// Where builds push, and with what.
    func setRegistry(repository: String, password: String) {
        state.withLock {
            $0.repository = repository
            $0.registryPassword = password
        }
    }

    /// Another builder has claimed the run; its lease ends when so many claims were answered with 423.
    func hold(_ id: String, by holder: String, refusing claims: Int) {
        note(id) { run in
            run.holder = holder
            run.fence += 1
            run.refusals = claims
        }
    }

    func run(_ id: String) -> Run? { state.withLock { $0.runs.first { $0.id == id } } }

    func append(_ event: String, to id: String, ends: String? = nil) {
        state.withLock { state in
            guard let index = state.runs.firstIndex(where: { $0.id == id }), !state.runs[index].isOver else { return }
            let line = #"{"seq":\#(state.runs[index].events.count),\#(event)}"# + "\n"
            state.runs[index].events.append(line)
            if let ends {
                state.runs[index].isOver = true
                state.runs[index].state = ends
            }
            for follower in state.runs[index].followers.values {
                follower.yield(line)
                if ends != nil { follower.finish() }
            }
        }
    }

    func finish(_ id: String, live: Bool) {
        let text =
            live
            ? "http://shop1.workflow.localhost"
            : #"web exited with status 1\nv1 keeps serving.\nSee: drycc logs -a shop1"#
        let state = live ? "live" : "failed"
        append(
            #""kind":"end","state":"\#(state)","text":"\#(text)","seconds":2.11,"exit":\#(live ? 0 : 1)"#, to: id,
            ends: state)
    }

    func cancel(_ id: String) {
        state.withLock { state in
            guard let index = state.runs.firstIndex(where: { $0.id == id }) else { return }
            state.runs[index].isCancelled = true
        }
    }

    /// Another builder takes the run over.
    func fenceOff(_ id: String) {
        state.withLock { state in
            guard let index = state.runs.firstIndex(where: { $0.id == id }) else { return }
            state.runs[index].fence += 1
        }
    }

    @discardableResult
    func open(_ record: [String: String]) -> Run {
        let (run, older) = state.withLock { state -> (Run, [String]) in
            let same = { (run: Run) in
                run.record["receive_repo"] == record["receive_repo"] && run.record["source_key"] == record["source_key"]
            }
            if let run = state.runs.first(where: same) { return (run, []) }
            let older = state.runs.filter { $0.record["receive_repo"] == record["receive_repo"] && !$0.isOver }
            let run = Run(id: UUID().uuidString.lowercased(), number: state.runs.count + 1, record: record)
            state.runs.append(run)
            return (run, older.map(\.id))
        }
        for id in older {
            append(
                #""kind":"end","state":"superseded","text":"a newer push took over","seconds":0.5,"exit":1"#, to: id,
                ends: "superseded")
        }
        let sha = record["sha"]?.prefix(7) ?? ""
        let header =
            #""kind":"header","text":"shop1 v\#(run.number)  \#(sha)  "#
            + #"by \#(record["receive_user"] ?? "")  (queue 0.0s)""#
        append(header, to: run.id)
        return run
    }

    // MARK: Serving

    func makeRouter() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/healthz") { _, _ in "OK" }
        router.post("/oauth/token/") { _, _ in
            Self.json(.ok, #"{"access_token":"token-of-the-builder","token_type":"Bearer","expires_in":300}"#)
        }
        let hooks = router.group("/v2/hooks").add(middleware: Gate(controller: self))
        hooks.get("/key/:fingerprint") { [self] _, context in
            let fingerprint = Self.decoded(try context.parameters.require("fingerprint"))
            guard let user = state.withLock({ $0.keys[fingerprint] }) else { return Self.json(.notFound, "{}") }
            return Self.json(.ok, #"{"username":"\#(user)","apps":[]}"#)
        }
        hooks.post("/config/") { [self] request, context in
            let body = try await Self.body(request)
            let members = state.withLock { $0.members[body["receive_repo"] ?? ""] }
            guard let members else { return Self.json(.notFound, "{}") }
            return Self.json(members.contains(body["receive_user"] ?? "") ? .ok : .forbidden, "{}")
        }
        hooks.post("/build-runs/") { [self] request, _ in
            let run = open(try await Self.body(request))
            script(self, run)
            let app = run.record["receive_repo"] ?? ""
            return Self.json(.created, #"{"id":"\#(run.id)","app":"\#(app)","number":\#(run.number)}"#)
        }
        hooks.get("/build-runs/:id/events") { [self] request, context in
            events(
                of: try context.parameters.require("id"),
                from: request.uri.queryParameters.get("from", as: Int.self) ?? 0)
        }
        addBuildRoutes(to: hooks)
        return router
    }

    private func events(of id: String, from: Int) -> Response {
        let (stream, continuation) = AsyncStream<String>.makeStream()
        let number = state.withLock { state -> Int? in
            guard let index = state.runs.firstIndex(where: { $0.id == id }) else { return nil }
            state.nextFollower += 1
            var events = Array(state.runs[index].events.dropFirst(from))
            let isCut = state.cutsAfter.map { events.count >= $0 } ?? false
            if let cut = state.cutsAfter { events = Array(events.prefix(cut)) }
            continuation.yield(#"{"heartbeat":true}"# + "\n")
            for event in events { continuation.yield(event) }
            if state.runs[index].isOver || isCut {
                continuation.finish()
            } else {
                state.runs[index].followers[state.nextFollower] = continuation
            }
            return state.nextFollower
        }
        guard number != nil else { return Self.json(.notFound, "{}") }
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"],
            body: .init(asyncSequence: stream.map { ByteBuffer(string: $0) }))
    }

    /// Undoes percent-encoding where the router has not.
    private static func decoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func body(_ request: Request) async throws -> [String: String] {
        let buffer = try await request.body.collect(upTo: 1 << 20)
        let value = try JSONCoding.decoder.decode([String: Loose].self, from: Data(buffer.readableBytesView))
        return value.mapValues(\.text)
    }

    static func json(_ status: HTTPResponse.Status, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    /// Tokens are demanded, and an outage answers first.
    struct Gate: RouterMiddleware {
        typealias Context = BasicRequestContext

        let controller: FakeController

        func handle(
            _ request: Request, context: BasicRequestContext,
            next: (Request, BasicRequestContext) async throws -> Response
        ) async throws -> Response {
            let isOut = controller.state.withLock { state in
                defer { state.outage = max(0, state.outage - 1) }
                return state.outage > 0
            }
            if isOut { return FakeController.json(.serviceUnavailable, "{}") }
            guard request.headers[.authorization] == "Bearer token-of-the-builder" else {
                return FakeController.json(.unauthorized, "{}")
            }
            return try await next(request, context)
        }
    }

    /// Any JSON value as text, for tests that look at one member.
    private struct Loose: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let value = Self.attempt({ try container.decode(String.self) }) {
                text = value
            } else if let value = Self.attempt({ try container.decode(Int.self) }) {
                text = String(value)
            } else {
                text = ""
            }
        }

        private static func attempt<Value>(_ decode: () throws -> Value) -> Value? {
            do { return try decode() } catch { return nil }
        }
    }
}

// MARK: - What builders of images ask

extension FakeController {
    private func addBuildRoutes(to hooks: RouterGroup<BasicRequestContext>) {
        hooks.post("/build-runs/sources/") { [self] request, _ in
            struct Keys: Decodable { let keys: [String] }
            let buffer = try await request.body.collect(upTo: 1 << 20)
            let keys = try JSONCoding.decoder.decode(Keys.self, from: Data(buffer.readableBytesView)).keys
            let open = Set(runs.filter { !$0.isOver }.compactMap { $0.record["source_key"] })
            let needed = keys.filter(open.contains).map(Self.quoted).joined(separator: ",")
            return Self.json(.ok, #"{"needed":[\#(needed)]}"#)
        }
        hooks.post("/build-runs/:id/claim") { [self] request, context in
            let id = try context.parameters.require("id")
            return claim(id, holder: try await Self.body(request)["holder"] ?? "")
        }
        for action in ["heartbeat", "log", "phase", "result", "failed"] {
            hooks.post("/build-runs/:id/\(action)") { [self] request, context in
                let id = try context.parameters.require("id")
                let buffer = try await request.body.collect(upTo: 1 << 20)
                return try take(action, id: id, text: String(buffer: buffer))
            }
        }
    }

    private func claim(_ id: String, holder: String) -> Response {
        state.withLock { state in
            guard let index = state.runs.firstIndex(where: { $0.id == id }) else { return Self.json(.notFound, "{}") }
            guard !state.runs[index].isOver else { return Self.json(.conflict, #"{"state":"superseded"}"#) }
            if state.runs[index].refusals > 0, state.runs[index].holder != holder {
                state.runs[index].refusals -= 1
                return Self.json(.init(code: 423), #"{"holder":"\#(state.runs[index].holder ?? "")","expires_in":1}"#)
            }
            state.runs[index].fence += 1
            state.runs[index].holder = holder
            state.runs[index].refusals = 0
            let record = state.runs[index].record
            let reply = """
                {"fence":\(state.runs[index].fence),"app":"\(record["receive_repo"] ?? "")",\
                "user":"ada","sha":"\(record["sha"] ?? "")",
                "source_key":"\(record["source_key"] ?? "")","source_digest":"\(record["source_digest"] ?? "")",
                "repository":"\(state.repository)","tag":"git-12345678","registry_username":"grant",
                "registry_password":"\(state.registryPassword)","build_env":{"MODE":"test"},\
                "process_types":["web"],"stack":null,
                "timeout_seconds":600}
                """
            return Self.json(.ok, reply)
        }
    }

    private struct Fenced: Decodable {
        struct Line: Decodable {
            let phase: String
            let text: String
        }

        let fence: Int
        let lines: [Line]?
        let phase: String?
        let text: String?
        let seconds: Double?
    }

    private func take(_ action: String, id: String, text: String) throws -> Response {
        let body = try JSONCoding.decoder.decode(Fenced.self, from: Data(text.utf8))
        guard let run = run(id), run.fence == body.fence, !run.isOver else { return Self.json(.conflict, "{}") }
        switch action {
        case "heartbeat": return Self.json(.ok, #"{"cancelled":\#(run.isCancelled)}"#)
        case "log":
            for line in body.lines ?? [] {
                append(#""kind":"line","phase":"\#(line.phase)","text":\#(Self.quoted(line.text))"#, to: id)
            }
        case "phase":
            append(
                #""kind":"phase","phase":"\#(body.phase ?? "")","#
                    + #""text":\#(Self.quoted(body.text ?? "")),"seconds":\#(body.seconds ?? 0)"#,
                to: id)
        case "result" where text.contains("refuse-me"):
            return Self.json(.badRequest, #"{"dryccfile":["pipeline web.yml: deploy is required"]}"#)
        case "result":
            note(id) {
                $0.result = text
                $0.results += 1
            }
            finish(id, live: true)
        default:
            note(id) { $0.failure = text }
            finish(id, live: false)
        }
        return Self.json(.ok, #"{"release":{"version":1}}"#)
    }

    private static func quoted(_ text: String) -> String {
        text.reduce(into: "\"") { $0 += $1 == "\"" || $1 == "\\" ? "\\\($1)" : String($1) } + "\""
    }

    private func note(_ id: String, _ change: (inout Run) -> Void) {
        state.withLock { state in
            guard let index = state.runs.firstIndex(where: { $0.id == id }) else { return }
            change(&state.runs[index])
        }
    }
}
