import PlatformModel
import ServiceHTTP
import ServiceRuntime

/// The registry's settings.
///
/// - `REGISTRY_LISTEN`: host:port, default `127.0.0.1:5000`.
/// - `REGISTRY_STORAGE` and what belongs to it: see ``StorageSettings``.
/// - `REGISTRY_AUTH`: `none`, `htpasswd:/path` or `token`, required.
/// - `REGISTRY_TOKEN_REALM`: URL of the token server; required with `token`.
/// - `REGISTRY_TOKEN_SERVICE`: audience of tokens, default `workflow-registry`.
/// - `REGISTRY_TOKEN_ISSUER`: issuer of tokens, default `workflow-controller`.
/// - `REGISTRY_TOKEN_KEYS`: file of PEM public keys; required with `token`.
/// - `REGISTRY_DELETE`: whether deletes are allowed, default true.
/// - `REGISTRY_TLS_CERTIFICATE`, `REGISTRY_TLS_KEY`: PEM files; both or none.
/// - `REGISTRY_MANIFEST_LIMIT`: bytes, default 4194304. `REGISTRY_BLOB_LIMIT`: bytes, default 64 GiB.
/// - `REGISTRY_ALLOW_MISSING_BLOBS`: whether images may be pushed without all their blobs, default false.
/// - `REGISTRY_IDLE_TIMEOUT`: seconds a connection may send nothing of a request, default 120.
/// - What is kept for how long, and how much: see ``CollectionSettings``.
struct RegistryConfiguration: Sendable {
    /// How callers are recognised.
    enum Authentication: Hashable, Sendable {
        case none
        case htpasswd(path: String)
        case token(TokenServer)
    }

    /// The token server clients are sent to, and how its tokens are recognised.
    struct TokenServer: Hashable, Sendable {
        let realm: String
        let service: String
        let issuer: String
        let keysPath: String
    }

    /// A certificate chain and its key, as PEM files.
    struct TLSFiles: Hashable, Sendable {
        let certificate: String
        let key: String
    }

    let listen: ListenAddress
    let storage: StorageSettings
    let authentication: Authentication
    let allowsDeletes: Bool
    let tls: TLSFiles?
    let limits: RegistryLimits
    let idleTimeout: Duration
    let collection: CollectionSettings

    init(reader: inout ConfigurationReader) {
        listen = reader.listen("REGISTRY_LISTEN", default: "127.0.0.1:5000")
        storage = StorageSettings(reader: &reader)
        authentication = Self.authentication(&reader)
        allowsDeletes = reader.flag("REGISTRY_DELETE", default: true)
        tls = Self.tls(&reader)
        let defaults = RegistryLimits()
        var limits = defaults
        limits.manifestSize = reader.integer(
            "REGISTRY_MANIFEST_LIMIT", default: defaults.manifestSize, in: 1 << 16...64 << 20)
        limits.blobSize = reader.integer("REGISTRY_BLOB_LIMIT", default: defaults.blobSize, in: 1...Int.max)
        limits.allowsMissingBlobs = reader.flag("REGISTRY_ALLOW_MISSING_BLOBS", default: false)
        self.limits = limits
        idleTimeout = reader.duration("REGISTRY_IDLE_TIMEOUT", default: .seconds(120))
        collection = CollectionSettings(reader: &reader)
    }

    private static func authentication(_ reader: inout ConfigurationReader) -> Authentication {
        let text = reader.string("REGISTRY_AUTH")
        if text == "none" { return .none }
        if text == "token" {
            return .token(
                TokenServer(
                    realm: reader.string("REGISTRY_TOKEN_REALM"),
                    service: reader.string("REGISTRY_TOKEN_SERVICE", default: "workflow-registry"),
                    issuer: reader.string("REGISTRY_TOKEN_ISSUER", default: "workflow-controller"),
                    keysPath: reader.string("REGISTRY_TOKEN_KEYS")))
        }
        if text.hasPrefix("htpasswd:/") { return .htpasswd(path: String(text.dropFirst("htpasswd:".count))) }
        if !text.isEmpty { reader.report("REGISTRY_AUTH", "must be none, htpasswd:/path or token") }
        return .none
    }

    private static func tls(_ reader: inout ConfigurationReader) -> TLSFiles? {
        let certificate = reader.optionalString("REGISTRY_TLS_CERTIFICATE")
        let key = reader.optionalString("REGISTRY_TLS_KEY")
        switch (certificate, key) {
        case (let certificate?, let key?): return TLSFiles(certificate: certificate, key: key)
        case (nil, nil): return nil
        default:
            reader.report("REGISTRY_TLS_CERTIFICATE", "and REGISTRY_TLS_KEY must be set together")
            return nil
        }
    }
}
