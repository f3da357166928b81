import CommandRunner
import CurlTransfer
import Foundation
import PlatformModel
import PodmanClient
import PodmanTestSupport
import TestSupport

/// A platform of the shipped executables, in a state directory of its own below `/var/tmp`, on ports of its own.
struct Installation: Sendable {
    /// The installation of the running suite.
    @TaskLocal static var current: Installation?

    /// What is read of `workflow status --json`.
    struct Status: Decodable, Sendable {
        struct Server: Decodable, Sendable {
            let name: String
            let phase: String
            let pid: Int32?
            let restarts: Int
        }

        struct Queue: Decodable, Sendable {
            let name: String
            let ready: Int
            let delayed: Int
            let deadLetters: Int

            private enum CodingKeys: String, CodingKey {
                case name, ready, delayed
                case deadLetters = "dead_letters"
            }
        }

        let running: Bool
        let ready: Bool
        let servers: [Server]
        let queues: [Queue]
    }

    private struct Settings: Decodable {
        let ports: [String: Int]
    }

    let root: String
    let programs: String
    let client: HTTPClient

    init() throws {
        root = "/var/tmp/workflow-whole-\(String(UInt64.random(in: .min ... .max), radix: 36))"
        programs = try Self.binaries()
        client = try HTTPClient()
    }

    static func required() throws -> Installation {
        guard let current else { throw MissingServer(variable: "the suite's installation") }
        return current
    }

    /// The folder of the executables: named by the environment, or that of the running tests.
    private static func binaries() throws -> String {
        if let path = ProcessInfo.processInfo.environment["WORKFLOW_TEST_BIN"] { return path }
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        return URL(filePath: own).deletingLastPathComponent().path
    }

    // MARK: - The operator's program

    func command(_ arguments: [String], deadline: Duration = .seconds(180)) -> Command {
        Command(
            "\(programs)/workflow", arguments + ["--state-dir", root], environment: ["HOME": root], deadline: deadline)
    }

    @discardableResult
    func workflow(_ arguments: [String]) async throws -> String {
        try await CommandRunner.check(command(arguments)).text
    }

    /// Starts the platform as a new operator does, but leaves the machine's hosts file alone.
    /// - Returns: what `workflow up` printed.
    @discardableResult
    func up() async throws -> String {
        let ports = isInstalled ? [] : ["--http-port", "\(try freePort())", "--https-port", "\(try freePort())"]
        return try await workflow(["up", "--hosts-file", "none"] + ports)
    }

    var isInstalled: Bool { FileManager.default.fileExists(atPath: "\(root)/settings.json") }

    func status() async throws -> Status {
        let result = try await CommandRunner.run(command(["status", "--json"]))
        return try JSONDecoder().decode(Status.self, from: Data(result.standardOutput))
    }

    /// The process of one of the platform's servers.
    func process(of server: String) async throws -> ProcessIdentity {
        let found = try await status().servers.first { $0.name == server }
        guard let pid = found?.pid, let identity = ProcessIdentity(pid: pid) else {
            throw MissingServer(variable: "a process of \(server)")
        }
        return identity
    }

    /// Ends a server without a chance to tidy up, and waits until the supervisor has another one running.
    func kill(_ server: String) async throws {
        let process = try await process(of: server)
        process.send(signal: SIGKILL)
        try await eventually(within: .seconds(60), "\(server) is back") {
            let now = try await status().servers.first { $0.name == server }
            return now?.phase == "running" && now?.pid != process.pid
        }
    }

    // MARK: - Addresses

    func port(_ use: String) throws -> Int {
        let text = try Data(contentsOf: URL(filePath: "\(root)/settings.json"))
        guard let port = try JSONDecoder().decode(Settings.self, from: text).ports[use] else {
            throw MissingServer(variable: "port \(use)")
        }
        return port
    }

    func url(host: String, _ path: String = "/") throws -> String {
        "http://\(host).workflow.localhost:\(try port("http"))\(path)"
    }

    // MARK: - The container engine

    var engine: EngineLayout { EngineLayout(directory: "\(root)/containers") }
    var podman: PodmanClient { PodmanClient(socket: engine.socket, http: client) }

    /// Gives the engine the base image of the tests' apps.
    func loadBaseImage() async throws {
        try await importBusybox(into: podman, as: "docker.io/library/busybox:latest", workDirectory: root)
    }

    /// Stops the platform and deletes everything of it.
    func remove() async throws {
        guard isInstalled else { return }
        try await workflow(["down", "--remove", "--yes"])
    }

    /// The route that keeps requests to pods that are gone on this machine; empty when there is none.
    func reservedAddresses() async throws -> String {
        try await CommandRunner.check(
            Command("ip", ["-4", "route", "show", "type", "unreachable", "exact", engine.networkRange])
        ).text
    }

    /// What of it is still on the machine: processes by their arguments or environment, mounts, containers on their
    /// runtime's record, its directory, its route.
    func remains() async throws -> [String] {
        let processes = ProcessIdentity.all().filter { process in
            process.pid != getpid() && (process.arguments + process.environment).contains { $0.contains(root) }
        }
        let mounts = try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8).split(separator: "\n")
            .filter { $0.contains(root) }
        let containers = OCIRuntime.all.flatMap { $0.containers(below: root) }.map { "container \($0.id)" }
        return processes.map { "\($0.pid) \($0.arguments.joined(separator: " "))" } + mounts.map(String.init)
            + containers + [try await reservedAddresses()].filter { !$0.isEmpty }
            + (FileManager.default.fileExists(atPath: root) ? [root] : [])
    }
}
