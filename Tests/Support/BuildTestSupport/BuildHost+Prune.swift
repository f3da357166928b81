import CommandRunner
import FoundationEssentials

/// What a prune of the layer cache told.
package struct PruneReport: Decodable, Sendable {
    package let busy: Bool
    package let removed: Int
    package let freed: Int
    package let cacheBytes: Int

    enum CodingKeys: String, CodingKey {
        case busy, removed, freed
        case cacheBytes = "cache_bytes"
    }
}

extension BuildHost {
    /// Runs the shipped imagebuilder's prune; no layer is too young for it.
    package func prune(_ variables: [String: String]) async throws -> PruneReport {
        let result = try await CommandRunner.check(
            Command(
                try builtProgram("imagebuilder"), ["prune"],
                environment: environment(["IMAGEBUILDER_CACHE_GRACE": "0"].merging(variables) { $1 }),
                workingDirectory: directory, deadline: .seconds(120)))
        return try JSONDecoder().decode(PruneReport.self, from: Data(result.standardOutput))
    }
}
