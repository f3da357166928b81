import FoundationEssentials
import PlatformModel
import Postgres

/// What a builder is told to do for a run it has claimed.
struct BuildOrders: Sendable {
    /// How long a build may take, in seconds; its registry grant lives as long.
    static let timeout = 1800
    /// What a build's task may take beyond that, in seconds: its turn among the app's builds, its ending, its reports.
    static let margin = 600

    let database: PostgresPool
    let releases: ReleaseService
    let registry: RegistryTokenService

    func order(for run: BuildRun) async throws -> JSONValue {
        guard let app = try await AppStore().find(run.app, in: database) else { throw Refusal.notFound("App") }
        let good = try await releases.latestGood(of: app, in: database)
        let grant = try registry.grant(app: app.id, actions: ["pull", "push"], lifetime: .seconds(Self.timeout))
        let ptypes = good?.build.map { BuildOffer($0.content).ptypes } ?? []
        return [
            "fence": .integer(run.fence), "app": .string(app.id.text), "user": .string(run.username),
            "sha": .string(run.sha), "source_key": .string(run.sourceKey),
            "source_digest": .string(run.sourceDigest), "repository": .string(registry.repository(of: app.id)),
            "tag": .string("git-\(run.sha.prefix(8))"), "registry_username": .string(grant.username),
            "registry_password": .string(grant.password.reveal()),
            // The build sees what `web` will see: builds of web apps read the same variables.
            "build_env": JSONValue(good?.config.document.environment(of: "web") ?? [:]),
            "process_types": JSONValue(ptypes), "stack": .null, "timeout_seconds": .integer(Self.timeout),
        ]
    }
}
