import CommandRunner
import CurlTransfer
import Foundation
import HTTPTypes
import PlatformModel

/// A person with an account, an SSH key and a signed-in command line.
struct PlatformUser: Sendable {
    /// What the platform answered to a call.
    struct Answer: Sendable {
        let status: Int
        let text: String

        var json: JSONValue { get throws { try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) } }
    }

    /// A call that had to succeed did not.
    struct Refused: Error, CustomStringConvertible {
        let call: String
        let answer: Answer

        var description: String { "\(call): \(answer.status) \(answer.text)" }
    }

    let platform: Installation
    let name: String
    let token: String
    /// The private key's path.
    let identity: String

    /// Makes the account with the operator's program, signs in with its password, and registers a new SSH key.
    static func signUp(_ name: String, on platform: Installation) async throws -> PlatformUser {
        let password = "correct horse \(UInt32.random(in: .min ... .max))"
        var create = platform.command(["create-user", name, "--email", "\(name)@example.com", "--stdin"])
        create.standardInput = Array("\(password)\n".utf8)
        try await CommandRunner.check(create)
        let visitor = PlatformUser(platform: platform, name: name, token: "", identity: "\(platform.root)/\(name)-key")
        let login: JSONValue = ["username": .string(name), "password": .string(password)]
        let key = try await visitor.succeed(.post, "/v2/auth/login/", login).json["key"]?.stringValue ?? ""
        let token =
            try await visitor.succeed(.get, "/v2/auth/token/\(key)/?alias=tests").json["token"]?.stringValue ?? ""
        let user = PlatformUser(platform: platform, name: name, token: token, identity: visitor.identity)
        try await user.addKey()
        return user
    }

    private func addKey() async throws {
        try await CommandRunner.check(
            Command("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "\(name)@laptop", "-f", identity]))
        let line = try String(contentsOfFile: "\(identity).pub", encoding: .utf8)
        _ = try await succeed(.post, "/v2/keys/", ["id": .string("\(name)@laptop"), "public": .string(line)])
    }

    /// Makes an app, in a workspace of the user's own.
    func makeApp(_ app: String) async throws {
        let workspace = "\(name)s1"
        let made = try await call(
            .post, "/v2/workspaces", ["id": .string(workspace), "email": .string("\(name)@example.com")])
        guard made.status == 201 || made.text.contains("exist") else { throw Refused(call: workspace, answer: made) }
        _ = try await succeed(.post, "/v2/apps/", ["id": .string(app), "workspace": .string(workspace)])
    }

    func call(_ method: HTTPRequest.Method, _ path: String, _ body: JSONValue? = nil) async throws -> Answer {
        var headers = HTTPFields()
        if !token.isEmpty { headers[.authorization] = "token \(token)" }
        var content = TransferBody.none
        if let body {
            headers[.contentType] = "application/json"
            content = .bytes(Array(try JSONEncoder().encode(body)))
        }
        let response = try await platform.client.send(
            TransferRequest(
                method: method, url: try platform.url(host: "drycc", path), headers: headers, body: content,
                timeout: .seconds(90)))
        return Answer(status: response.status, text: response.text)
    }

    @discardableResult
    func succeed(_ method: HTTPRequest.Method, _ path: String, _ body: JSONValue? = nil) async throws -> Answer {
        let answer = try await call(method, path, body)
        guard (200..<300).contains(answer.status) else { throw Refused(call: "\(method) \(path)", answer: answer) }
        return answer
    }

    func scale(_ app: String, web count: Int) async throws {
        try await succeed(.post, "/v2/apps/\(app)/ptypes/scale/", ["web": .integer(count)])
    }

    /// Sets config values, as `drycc config:set` does.
    func configure(_ app: String, _ values: [String: String]) async throws {
        let items = values.sorted { $0.key < $1.key }.map { name, value in
            JSONValue.object(["group": "global", "name": .string(name), "value": .string(value)])
        }
        try await succeed(.post, "/v2/apps/\(app)/config/?merge=true", ["values": .array(items)])
    }

    /// The newest release's version.
    func version(of app: String) async throws -> Int {
        let answer = try await succeed(.get, "/v2/apps/\(app)/releases/?limit=1")
        return try answer.json["results"]?.arrayValue?.first?["version"]?.integerValue ?? 0
    }

    /// The app's pods that run, by name.
    func runningPods(of app: String) async throws -> [String] {
        let pods = try await succeed(.get, "/v2/apps/\(app)/pods/?limit=100").json["results"]?.arrayValue ?? []
        return pods.filter { $0["state"]?.stringValue == "up" }.compactMap { $0["name"]?.stringValue }
    }

    /// The states of the app's build runs, newest first.
    func buildRuns(of app: String) async throws -> [JSONValue] {
        try await succeed(.get, "/v2/apps/\(app)/build-runs/?limit=100").json["results"]?.arrayValue ?? []
    }
}
