import FoundationEssentials
import PlatformModel
import Postgres

/// Who issues an app's automatic certificates.
struct TLSIssuer: Codable, Sendable, Equatable {
    var email = "anonymous@cert-manager.io"
    var server = "https://acme-v02.api.letsencrypt.org/directory"
    var keyID = ""
    var keySecret = ""

    private enum CodingKeys: String, CodingKey {
        case email, server
        case keyID = "key_id"
        case keySecret = "key_secret"
    }
}

/// How an app is served over HTTPS; nil means the platform's default.
struct TLSSettings: Sendable, Equatable {
    var httpsEnforced: Bool?
    var certsAutoEnabled: Bool?
    var issuer = TLSIssuer()
}

/// A TLS row with its identity.
struct StoredTLSSettings: Sendable {
    let uuid: UUID
    let settings: TLSSettings
    let created: Date
    let updated: Date
}

/// TLS rows, one per app; the issuer's key is sealed.
struct TLSStore: Sendable {
    let vault: Vault

    private static let columns: SQL = """
        uuid, https_enforced, certs_auto_enabled, issuer_sealed, created, updated
        """

    private func stored(_ row: Row, app: UUID) throws -> StoredTLSSettings {
        var settings = TLSSettings()
        settings.httpsEnforced = try row.decode("https_enforced")
        settings.certsAutoEnabled = try row.decode("certs_auto_enabled")
        settings.issuer = try vault.open(try row.decode("issuer_sealed"), purpose: Self.purpose(app))
        return StoredTLSSettings(
            uuid: try row.decode("uuid"), settings: settings, created: try row.decode("created"),
            updated: try row.decode("updated"))
    }

    func find(of app: UUID, in executor: some SQLExecutor) async throws -> StoredTLSSettings {
        try stored(
            try await executor.query("SELECT \(sql: Self.columns) FROM app_tls WHERE app = \(app)").one(), app: app)
    }

    func replace(_ settings: TLSSettings, of app: UUID, in executor: some SQLExecutor) async throws
        -> StoredTLSSettings
    {
        let sealed = try vault.seal(settings.issuer, purpose: Self.purpose(app))
        let rows = try await executor.query(
            """
            INSERT INTO app_tls (uuid, app, https_enforced, certs_auto_enabled, issuer_sealed, issuer_key_id)
            VALUES (\(UUID()), \(app), \(settings.httpsEnforced), \(settings.certsAutoEnabled), \(sealed.bytes),
                \(sealed.keyID))
            ON CONFLICT (app) DO UPDATE SET uuid = excluded.uuid, https_enforced = excluded.https_enforced,
                certs_auto_enabled = excluded.certs_auto_enabled, issuer_sealed = excluded.issuer_sealed,
                issuer_key_id = excluded.issuer_key_id, updated = now()
            RETURNING \(sql: Self.columns)
            """)
        return try stored(try rows.one(), app: app)
    }

    private static func purpose(_ app: UUID) -> String { "tls:\(app.uuidString.lowercased())" }
}
