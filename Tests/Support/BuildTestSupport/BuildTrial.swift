package import CommandRunner
import FoundationEssentials
package import PlatformModel
import Synchronization

/// One run of the shipped imagebuilder.
package struct BuildTrial: Sendable {
    /// A line of its event stream.
    package struct Event: Decodable, Sendable {
        package let event: String
        package let phase: String?
        package let text: String?
        package let seconds: Double?
        package let image: String?
        package let digest: String?
        package let size: Int?
        package let port: Int?
        package let procfile: [String: String]?
        package let dryccfile: JSONValue?
        package let dockerfile: String?
        package let reason: String?
        package let hint: String?
    }

    package let exit: CommandExit
    package let events: [Event]
    package let log: [String]

    package var result: Event? { events.last.flatMap { $0.event == "result" ? $0 : nil } }
    package var failure: Event? { events.last.flatMap { $0.event == "failed" ? $0 : nil } }
    package var lines: [String] { events.compactMap { $0.event == "line" ? $0.text : nil } }
    package func summary(of phase: String) -> String? {
        events.first { $0.event == "phase" && $0.phase == phase }?.text
    }
}

/// What a build is asked for; the rest of the job follows from the host.
package struct BuildRequest: Sendable {
    package var source: BuildHost.Source
    package var workFolder: String
    package var password = BuildHost.password
    package var buildEnvironment: [String: String] = [:]
    package var timeoutSeconds = 120
    package var stack: String?
    /// Variables of the imagebuilder beside the host's.
    package var variables: [String: String] = [:]
}

extension BuildHost {
    /// A request to build these files.
    package func request(_ files: [String: String]) async throws -> BuildRequest {
        BuildRequest(source: try await makeSource(files), workFolder: try makeWorkFolder())
    }

    /// Runs the imagebuilder to its end as the builder does, and removes its work folder.
    package func build(
        _ request: BuildRequest, onEvent: @escaping @Sendable (BuildTrial.Event) async throws -> Void = { _ in }
    ) async throws -> BuildTrial {
        let seen = Mutex<(events: [BuildTrial.Event], log: [String])>(([], []))
        let command = Command(
            try builtProgram("imagebuilder"), [], environment: environment(request.variables),
            workingDirectory: request.workFolder, standardInput: try job(request), deadline: .seconds(150),
            grace: .seconds(10))
        defer { removeWorkFolder(request.workFolder) }
        let exit = try await CommandRunner.stream(command) { line in
            guard line.source == .output else { return seen.withLock { $0.log.append(line.text) } }
            let event = try JSONDecoder().decode(BuildTrial.Event.self, from: Data(line.text.utf8))
            seen.withLock { $0.events.append(event) }
            try await onEvent(event)
        }
        return seen.withLock { BuildTrial(exit: exit, events: $0.events, log: $0.log) }
    }

    /// Builds these files.
    package func build(_ files: [String: String]) async throws -> BuildTrial {
        try await build(try await request(files))
    }

    private func removeWorkFolder(_ path: String) {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            // The host's folder goes at the end of the test, and leftovers() tells what the build itself left.
        }
    }

    private func job(_ request: BuildRequest) throws -> [UInt8] {
        struct Storage: Encodable { let url: String }
        struct Job: Encodable {
            var version = 1
            var build_run = "0b9d3f52-8f0e-4a6e-9d0e-6a8f6b0f6a11"
            var fence = 1
            var app = "shop1"
            var user = "ana"
            var sha = "8f3c2a1b6f0e4f0c9a51d6b2f6a4c9e8d7b6a5f4"
            let source_key: String
            let source_digest: String
            let storage: Storage
            let repository: String
            var tag = "git-8f3c2a1b"
            var registry_username = "grant"
            let registry_password: String
            var registry_insecure = true
            let build_env: [String: String]
            var process_types = ["web"]
            let stack: String?
            let timeout_seconds: Int
            let cache_directory: String
            let work_directory: String
        }
        let job = Job(
            source_key: request.source.key, source_digest: request.source.digest, storage: Storage(url: storageURL),
            repository: repository, registry_password: request.password, build_env: request.buildEnvironment,
            stack: request.stack, timeout_seconds: request.timeoutSeconds, cache_directory: cacheDirectory,
            work_directory: request.workFolder)
        return Array(try JSONEncoder().encode(job))
    }
}
