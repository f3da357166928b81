import CurlTransfer
import FoundationEssentials
import HTTPTypes

extension PodmanClient {
    /// Creates a container and returns its id.
    /// - Throws: ``PodmanError`` with `.nameInUse`, or `.imageUnknown` when the image was not pulled before.
    package func createContainer(_ specification: ContainerSpecification) async throws -> String {
        struct Created: Decodable {
            private enum CodingKeys: String, CodingKey { case id = "Id" }
            let id: String
        }
        let response = try await call(.post, "containers/create", json: specification)
        return try decode(Created.self, from: response).id
    }

    /// Starts a container; one that runs already is left alone.
    package func startContainer(_ name: String) async throws {
        _ = try await call(.post, "containers/\(name.percentEncoded)/start")
    }

    /// Sends the stop signal, waits for `grace`, then kills; a container that does not run is left alone.
    package func stopContainer(_ name: String, grace: Duration) async throws {
        _ = try await call(
            .post, "containers/\(name.percentEncoded)/stop", query: [QueryItem("timeout", grace.components.seconds)],
            timeout: grace + .seconds(60))
    }

    /// Sends a signal by name, such as `SIGTERM`.
    package func killContainer(_ name: String, signal: String) async throws {
        _ = try await call(.post, "containers/\(name.percentEncoded)/kill", query: [QueryItem("signal", signal)])
    }

    /// Removes a container with its anonymous volumes.
    /// - Parameter force: kill it first if it runs.
    /// - Returns: false when there was none.
    @discardableResult
    package func removeContainer(_ name: String, force: Bool = false) async throws -> Bool {
        let query = [QueryItem("force", force), QueryItem("v", true), QueryItem("timeout", 0)]
        do {
            _ = try await call(.delete, "containers/\(name.percentEncoded)", query: query)
            return true
        } catch let error as PodmanError where error.code == .notFound {
            return false
        }
    }

    /// Waits until a container has ended and returns its exit code; no deadline but the caller's.
    package func waitForContainer(_ name: String) async throws -> Int {
        let query = [QueryItem("condition", "stopped"), QueryItem("condition", "exited")]
        let response = try await open(.post, "containers/\(name.percentEncoded)/wait", query: query)
        let body = try await response.body.collect(upTo: 4096)
        let text = String(decoding: body, as: UTF8.self).filter { !$0.isWhitespace }
        guard let code = Int(text) else {
            throw PodmanError(.invalidResponse, message: "The exit code is not a number.")
        }
        return code
    }

    /// - Throws: ``PodmanError`` with `.notFound`.
    package func inspectContainer(_ name: String) async throws -> ContainerDetails {
        let path = "containers/\(name.percentEncoded)/json"
        for _ in 0..<10 {
            do {
                return try await decoded(.get, path, as: ContainerDetails.self)
            } catch let error as PodmanError where error.cause == "no such process" {
                // Its process went while podman read its control group; a moment later podman knows that it has ended.
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        return try await decoded(.get, path, as: ContainerDetails.self)
    }

    /// All containers, running or not, that carry every one of `labels` (`name=value`, or a bare name).
    package func listContainers(labels: [String] = []) async throws -> [ContainerSummary] {
        let query = [QueryItem("all", true), try .filters(labels.isEmpty ? [:] : ["label": labels])]
        let response = try await call(.get, "containers/json", query: query)
        return try decode([ContainerSummary]?.self, from: response) ?? []
    }

    package func renameContainer(_ name: String, to newName: String) async throws {
        _ = try await call(.post, "containers/\(name.percentEncoded)/rename", query: [QueryItem("name", newName)])
    }

    /// One sample of the usage of running containers; none given means all.
    package func statistics(of names: [String] = []) async throws -> [ContainerStatistics] {
        struct Report: Decodable {
            private enum CodingKeys: String, CodingKey { case statistics = "Stats" }
            let statistics: [ContainerStatistics]?
        }
        let query = [QueryItem("stream", false)] + names.map { QueryItem("containers", $0) }
        return try await decoded(.get, "containers/stats", query: query, as: Report.self).statistics ?? []
    }

    /// Runs the image's health check once, now.
    /// - Throws: ``PodmanError`` with `.wrongState` when the container has none or does not run.
    package func runHealthcheck(_ name: String) async throws -> HealthcheckOutcome {
        let response = try await call(.get, "containers/\(name.percentEncoded)/healthcheck")
        return try decode(HealthcheckOutcome.self, from: response)
    }
}

/// The result of an image's own health check.
package struct HealthcheckOutcome: Decodable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case status = "Status"
        case failingStreak = "FailingStreak"
    }
    package let status: String
    package let failingStreak: Int

    package var isHealthy: Bool { status == "healthy" }
}
