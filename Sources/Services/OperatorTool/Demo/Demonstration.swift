import CommandRunner
import CurlTransfer
import FoundationEssentials
import Glibc
import HTTPTypes
import OpenSSLCrypto
import ServiceRuntime

/// A user, a key, an app and a push from nothing to a page, as a person would do it with the stock tools.
struct Demonstration: Sendable {
    let state: StateDirectory
    let settings: Settings
    let programs: ProgramDirectory
    let sample: String
    let images: BaseImages
    let client: HTTPClient

    private static let user = "demo"
    private static let workspace = "demos"
    private static let app = "hello"

    private var names: PlatformNames { PlatformNames(domain: settings.domain, ports: settings.ports) }
    private var email: String { "demo@example.com" }

    func run() async throws {
        let clock = ContinuousClock()
        let began = clock.now
        var platform = PlatformClient(base: names.controllerURL, client: client)
        let repository = DemoRepository(
            path: "\(state.demo)/\(Self.app)", state: state, names: names, app: Self.app)
        let password = try await step("user") { try await ensureUser() }
        platform = try await step("login") { try await signIn(platform, password: password) }
        let publicKey = try await step("key") { [platform] in
            let key = try await repository.ensureKey()
            try await platform.ensureKey(id: "demo@workflow", publicKey: key)
            return (key, "demo@workflow")
        }
        guard publicKey.hasPrefix("ssh-ed25519 ") else { throw OperatorError("the demo's SSH key is damaged") }
        try await step("workspace") { [platform] in
            try await platform.ensureWorkspace(Self.workspace, email: email)
            return ((), Self.workspace)
        }
        try await step("app") { [platform] in
            try await platform.ensureApp(Self.app, workspace: Self.workspace)
            return ((), Self.app)
        }
        try await step("base images") {
            if try await images.arePresent() { return ((), "loaded before") }
            try await images.load { Console.say("    \($0)") }
            return ((), "loaded")
        }
        try await step("commit") { ((), try await repository.commit(sample: sample)) }
        try await push(repository)
        try await fetch()
        Console.say(
            "\nDone after \(ProgressEvent.seconds((clock.now - began).milliseconds)): "
                + "\(names.url("\(Self.app).\(settings.domain)"))"
        )
    }

    @discardableResult
    private func step<Value>(_ name: String, _ body: () async throws -> (Value, String)) async throws -> Value {
        let clock = ContinuousClock()
        let start = clock.now
        do {
            let (value, detail) = try await body()
            let event = ProgressEvent.done(step: name, milliseconds: (clock.now - start).milliseconds, detail: detail)
            Console.say(event.text)
            return value
        } catch {
            Console.complain(ProgressEvent.failed(step: name, lines: []).text)
            throw error
        }
    }

    /// The demo's user, made through passport once; its password stays in the state directory.
    private func ensureUser() async throws -> (String, String) {
        let path = "\(state.demo)/password"
        if let known = try StateFile.readText(path) { return (known, "\(Self.user) exists") }
        let password = SecureRandom.base64URL(18)
        let plans = try PlatformPlan(state: state, settings: settings, programs: programs)
        var command = plans.passportCommand(["create-user", "--username", Self.user, "--email", email])
        command.standardInput = Array("\(password)\n".utf8)
        let result = try await CommandRunner.check(command)
        if result.text.contains("exists") {
            throw OperatorError(
                "there is a user \(Self.user) that the demo did not make",
                next: "remove that user, or run the demo with another --state-dir")
        }
        try StateFile.write(password, to: path, mode: 0o600)
        return (password, "\(Self.user) created")
    }

    private func signIn(_ platform: PlatformClient, password: String) async throws -> (PlatformClient, String) {
        let path = "\(state.demo)/token"
        var platform = platform
        platform.token = try StateFile.readText(path)
        if try await platform.isSignedIn() { return (platform, "still signed in as \(Self.user)") }
        platform.token = nil
        let token = try await platform.logIn(username: Self.user, password: password)
        try StateFile.write(token, to: path, mode: 0o600)
        return (platform, "signed in as \(Self.user)")
    }

    private func push(_ repository: DemoRepository) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        Console.say("\n$ git push \(names.remote(of: Self.app)) HEAD:main")
        let exit = try await repository.push { Console.say($0) }
        Console.say("")
        guard exit.isSuccess else {
            throw OperatorError("the push ended with \(exit)", next: "workflow logs builder, or workflow doctor")
        }
        let event = ProgressEvent.done(step: "push", milliseconds: (clock.now - start).milliseconds, detail: Self.app)
        Console.say(event.text)
    }

    private func fetch() async throws {
        let url = names.url("\(Self.app).\(settings.domain)")
        try await step("page") {
            let response = try await client.send(TransferRequest(url: url, timeout: .seconds(10)))
            guard response.isSuccess else {
                throw OperatorError(
                    "\(url) was answered \(response.status)", next: "workflow status", evidence: [response.text])
            }
            let first = response.text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
            return ((), "\(url): \(first)")
        }
    }
}
