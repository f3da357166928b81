package import ServiceHTTP
package import ServiceRuntime

/// The settings of the logger.
///
/// - `LOGGER_LISTEN` (`127.0.0.1:8088`): HTTP for readers, events and probes.
/// - `LOGGER_FORWARD_LISTEN` (`127.0.0.1:24224`): forward protocol for shippers.
/// - `LOGGER_AUTH` (`token`): `token` asks readers and writers for access tokens, `none` for nothing.
/// - `OIDC_ISSUER`: issuer of the tokens; required with `token`. `OIDC_INTERNAL_URL`: where its keys are fetched;
///   the issuer unless set.
/// - `LOGGER_SPOOL_DIRECTORY`: where lines survive a restart; memory only unless set.
/// - `LOGGER_LINES_PER_APP` (3000, 1 to 1000000), `LOGGER_BYTES_PER_APP` (4194304, at least 65536).
/// - `LOGGER_MEMORY_BYTES` (536870912, at least 1048576): lines of all apps.
/// - `LOGGER_DEFAULT_LINES` (300), `LOGGER_MAXIMUM_LINES` (3000): what a reader gets unasked, and at most.
/// - `LOGGER_MAXIMUM_TIMEOUT` (3600 s): when a followed log ends at the latest.
/// - `LOGGER_HEARTBEAT` (10 s): how often an idle reader that follows gets a sign of life.
/// - `LOGGER_MAXIMUM_FOLLOWERS` (10000).
package struct LoggerConfiguration: Sendable {
    package enum Authentication: String, CaseIterable, Sendable {
        case token, none
    }

    package let listen: ListenAddress
    package let forwardListen: ListenAddress
    package let authentication: Authentication
    package let issuer: String
    package let keysURL: String
    package let spoolDirectory: String?
    package let store: StoreLimits
    package let queries: QueryLimits

    package init(reader: inout ConfigurationReader) {
        listen = reader.listen("LOGGER_LISTEN", default: "127.0.0.1:8088")
        forwardListen = reader.listen("LOGGER_FORWARD_LISTEN", default: "127.0.0.1:24224")
        authentication = reader.choice("LOGGER_AUTH", default: Authentication.token)
        let issuer = reader.string("OIDC_ISSUER", default: "")
        if authentication == .token, issuer.isEmpty {
            reader.report("OIDC_ISSUER", "is not set, but LOGGER_AUTH is token")
        }
        self.issuer = issuer
        keysURL = reader.string("OIDC_INTERNAL_URL", default: issuer) + "/.well-known/jwks.json"
        spoolDirectory = reader.optionalString("LOGGER_SPOOL_DIRECTORY")
        store = StoreLimits(
            linesPerApp: reader.integer("LOGGER_LINES_PER_APP", default: 3000, in: 1...1_000_000),
            bytesPerApp: reader.integer("LOGGER_BYTES_PER_APP", default: 4 << 20, in: 65_536...(1 << 40)),
            bytes: reader.integer("LOGGER_MEMORY_BYTES", default: 512 << 20, in: (1 << 20)...(1 << 40)),
            followers: reader.integer("LOGGER_MAXIMUM_FOLLOWERS", default: 10_000, in: 1...1_000_000))
        queries = QueryLimits(
            defaultLines: reader.integer("LOGGER_DEFAULT_LINES", default: 300, in: 0...1_000_000),
            maximumLines: reader.integer("LOGGER_MAXIMUM_LINES", default: 3000, in: 1...1_000_000),
            maximumTimeout: reader.duration("LOGGER_MAXIMUM_TIMEOUT", default: .seconds(3600)),
            heartbeat: reader.duration("LOGGER_HEARTBEAT", default: .seconds(10)))
    }
}
