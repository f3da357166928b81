import FoundationEssentials
import PlatformModel
import Postgres

/// Reads what a release says about its processes.
struct ReleasePlans: Sendable {
    let pool: PostgresPool
    let configs: ConfigStore
    let limits: LimitCatalogue

    /// - Throws: ``InvalidValue`` when there is nothing to run.
    func plan(for release: UUID, of app: App) async throws -> WorkloadPlan {
        guard let release = try await ReleaseStore().find(release, in: pool), let buildID = release.build,
            let build = try await BuildStore().find(buildID, in: pool),
            let config = try await configs.find(release.config, in: pool)
        else {
            throw InvalidValue(kind: "release", message: "The release has no build, so there is nothing to run.")
        }
        return WorkloadPlan(app: app, release: release, build: build, config: config.document, limits: limits)
    }
}
