import FoundationEssentials
import PlatformModel
import Postgres

/// What an app has from its first moment: default limits, release v1, settings and a TLS record.
struct AppFoundation: Sendable {
    let configs: ConfigStore
    let tls: TLSStore
    let plans: LimitCatalogue

    /// Limits for `web`, `run` and every process type that has none yet.
    static func ensureLimits(_ config: inout ConfigDocument, ptypes: [String], plans: LimitCatalogue) {
        for ptype in ["web", "run"] + ptypes where config.limits[ptype] == nil {
            config.limits[ptype] = plans.defaultPlan
        }
    }

    func lay(for app: App, in transaction: some SQLExecutor) async throws -> Release {
        var document = ConfigDocument()
        Self.ensureLimits(&document, ptypes: app.structure.counts.keys.sorted(), plans: plans)
        let config = try await configs.insert(document, app: app.uuid, in: transaction)
        let release = try await ReleaseStore().insert(
            NewRelease(
                app: app.uuid, config: config.uuid, build: nil,
                summary: ReleaseSummary.initial(workspace: app.workspace.text)),
            in: transaction)
        _ = try await AppSettingsStore().insert(AppSettings(), app: app.uuid, in: transaction)
        _ = try await tls.replace(TLSSettings(), of: app.uuid, in: transaction)
        return release
    }
}
