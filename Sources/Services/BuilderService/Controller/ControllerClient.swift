import AccessTokens
import CurlTransfer
import FoundationEssentials
import HTTPTypes
import PlatformModel
import ServiceHTTP

/// The controller's build hooks, with this builder's own token.
struct ControllerClient: Sendable {
    let client: HTTPClient
    let baseURL: String
    let credentials: ClientCredentialsSource

    /// Sends a request; a token the controller refuses is replaced once.
    private func send(_ method: HTTPRequest.Method, _ path: String, body: [UInt8]?) async throws -> TransferResponse {
        let token = try await credentials.token()
        let response = try await client.send(request(method, path, body: body, token: token))
        guard response.status == 401 else { return response }
        await credentials.invalidate(token)
        return try await client.send(request(method, path, body: body, token: credentials.token()))
    }

    private func request(
        _ method: HTTPRequest.Method, _ path: String, body: [UInt8]?, token: String
    ) -> TransferRequest {
        var headers: HTTPFields = [
            .authorization: "Bearer \(token)", .accept: "application/json", .userAgent: "drycc-builder",
        ]
        if body != nil { headers[.contentType] = "application/json" }
        return TransferRequest(
            method: method, url: baseURL + path, headers: headers, body: body.map { .bytes($0) } ?? .none,
            timeout: .seconds(20))
    }

    private func post(_ path: String, _ value: some Encodable) async throws -> TransferResponse {
        try await send(.post, path, body: Array(JSONCoding.encoder.encode(value)))
    }

    // MARK: Keys and access

    /// The owner of a key; nil when nobody has it.
    func owner(ofKey fingerprint: String) async throws -> String? {
        let response = try await send(.get, "/v2/hooks/key/\(PercentCoding.encode(fingerprint))", body: nil)
        if response.status == 404 { return nil }
        return try response.requireSuccess().decode(HookModels.KeyOwner.self).username
    }

    /// Whether `user` may push to `app`, or read it.
    func allows(_ user: String, app: AppName, reading: Bool) async throws -> Bool {
        let check = HookModels.AccessCheck(user: user, app: app.text, access: reading ? "read" : nil)
        let response = try await post("/v2/hooks/config/", check)
        if response.status == 403 || response.status == 404 { return false }
        _ = try response.requireSuccess()
        return true
    }

    // MARK: Build runs

    /// Records a push. Safe to repeat: the controller knows a record by app, commit and source.
    func open(_ record: PushRecord) async throws -> OpenedRun {
        let response = try await post("/v2/hooks/build-runs/", record)
        if (400..<500).contains(response.status) { throw PushRefused(reason: Self.reason(response)) }
        return try response.requireSuccess().decode(OpenedRun.self)
    }

    /// Those of the given source bundles that a build still needs.
    func neededSources(among keys: [String]) async throws -> Set<String> {
        let response = try await post("/v2/hooks/build-runs/sources/", HookModels.SourceKeys(keys: keys))
        return Set(try response.requireSuccess().decode(HookModels.NeededSources.self).needed)
    }

    enum ClaimOutcome: Sendable {
        case claimed(ClaimedRun)
        /// Nothing is left to do.
        case over
        /// Another builder holds it.
        case held
    }

    func claim(_ run: String, holder: String) async throws -> ClaimOutcome {
        let response = try await post("\(Self.path(run))/claim", HookModels.Claim(holder: holder))
        switch response.status {
        case 404, 409, 410: return .over
        case 423: return .held
        default: return .claimed(try response.requireSuccess().decode(ClaimedRun.self))
        }
    }

    /// Renews the lease; true when the run has been cancelled.
    func heartbeat(_ run: String, fence: Int) async throws -> Bool {
        let response = try await fenced("\(Self.path(run))/heartbeat", HookModels.Heartbeat(fence: fence))
        return try response.decode(HookModels.HeartbeatReply.self).cancelled
    }

    func append(_ lines: [HookModels.LogLine], to run: String, fence: Int) async throws {
        _ = try await fenced("\(Self.path(run))/log", HookModels.LogLines(fence: fence, lines: lines))
    }

    func append(phase: HookModels.Phase, to run: String) async throws {
        _ = try await fenced("\(Self.path(run))/phase", phase)
    }

    /// - Throws: ``ResultRefused`` when the controller cannot use what was built.
    func report(_ result: some Encodable, of run: String) async throws {
        let response = try await post("\(Self.path(run))/result", result)
        if response.status == 409 || response.status == 404 { throw FencedOff() }
        if response.status == 400 || response.status == 422 { throw ResultRefused(reason: Self.problems(response)) }
        _ = try response.requireSuccess()
    }

    func report(_ failure: HookModels.Failure, of run: String) async throws {
        _ = try await fenced("\(Self.path(run))/failed", failure)
    }

    /// Opens the record of a run for reading from `seq` on.
    func events(of run: String, from seq: Int) async throws -> StreamedResponse {
        let path = "\(Self.path(run))/events?from=\(seq)"
        for attempt in 0..<2 {
            let token = try await credentials.token()
            var request = request(.get, path, body: nil, token: token)
            request.timeout = nil
            request.idleTimeout = .seconds(35)
            let response = try await client.stream(request)
            if response.status == 401, attempt == 0 {
                await credentials.invalidate(token)
                continue
            }
            if response.status == 404 { throw RunGone() }
            guard response.isSuccess else {
                throw TransferError(
                    .unexpectedStatus, peer: request.peer, detail: "The record cannot be read.", status: response.status
                )
            }
            return response
        }
        throw RunGone()
    }

    /// Whether the controller answers at all; for the readiness check.
    func ping() async throws {
        _ = try await client.send(
            TransferRequest(url: baseURL + "/healthz", timeout: .seconds(2))
        ).requireSuccess()
    }

    private func fenced(_ path: String, _ value: some Encodable) async throws -> TransferResponse {
        let response = try await post(path, value)
        if response.status == 409 || response.status == 404 { throw FencedOff() }
        return try response.requireSuccess()
    }

    // MARK: Texts

    private static func path(_ run: String) -> String { "/v2/hooks/build-runs/\(PercentCoding.encode(run))" }

    /// What is wrong with which member, in one sentence each.
    private static func problems(_ response: TransferResponse) -> String {
        do {
            let members = try response.decode([String: [String]].self)
            return members.sorted { $0.key < $1.key }.flatMap { name, texts in texts.map { "\(name): \($0)" } }
                .joined(separator: "; ")
        } catch {
            return reason(response)
        }
    }

    private static func reason(_ response: TransferResponse) -> String {
        do {
            let refusal = try response.decode(HookModels.Refusal.self)
            if let text = refusal.detail ?? refusal.error?.message { return text }
        } catch {
            // The status alone has to do: the refusal was not written for us.
        }
        return "the controller refused the push (\(response.status))"
    }
}

/// The controller refuses the push; the reason is for the pusher.
struct PushRefused: Error {
    let reason: String
}

/// The controller cannot use what was built; the reason is for the pusher.
struct ResultRefused: Error {
    let reason: String
}

/// Another builder works on the run, or it is over.
struct FencedOff: Error {}

/// There is no such run (any more).
struct RunGone: Error {}
