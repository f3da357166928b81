import OpenSSLCrypto
import PlatformModel
import ServiceHTTP
import ServiceRuntime

/// The settings of passport.
///
/// | key | type | default | secret |
/// | --- | --- | --- | --- |
/// | `PASSPORT_LISTEN` | host:port | `127.0.0.1:8001` | |
/// | `DATABASE_URL` | libpq URI | required | yes |
/// | `DATABASE_POOL_SIZE` | 1–64 | 8 | |
/// | `OIDC_ISSUER` | http(s) URL ending in `/oauth` | required | |
/// | `PLATFORM_KEY` | 32 bytes in base64 | required | yes |
/// | `PASSPORT_CLIENTS_FILE` | path of a JSON file | none | |
/// | `PASSPORT_REGISTRATION` | `open` or `closed` | `closed` | |
/// | `PASSPORT_TRUSTED_PROXIES` | addresses with commas between | `127.0.0.1,::1` | |
/// | `ACCESS_TOKEN_EXPIRE_SECONDS` | 60–3600 | 3600 | |
/// | `ID_TOKEN_EXPIRE_SECONDS` | 60–3600 | 3600 | |
/// | `AUTHORIZATION_CODE_EXPIRE_SECONDS` | 10–600 | 60 | |
/// | `REFRESH_TOKEN_EXPIRE_SECONDS` | 3600–31536000 | 5184000 | |
/// | `SESSION_EXPIRE_SECONDS` | 300–7776000 | 1209600 | |
/// | `PASSWORD_HASH_THREADS` | 1–32 | 2 | |
/// | `PASSWORD_HASH_QUEUE` | 1–10000 | 64 | |
struct PassportConfiguration: Sendable {
    let listen: ListenAddress
    let database: DatabaseSettings
    let issuer: Issuer
    let platformKey: Secret
    let clientsFile: String?
    let registration: RegistrationPolicy
    let trustedProxies: Set<String>
    let lifetimes: Lifetimes
    let passwordThreads: Int
    let passwordQueue: Int

    init(reader: inout ConfigurationReader) {
        listen = reader.listen("PASSPORT_LISTEN", default: "127.0.0.1:8001")
        database = DatabaseSettings(reader: &reader)
        issuer =
            reader.value("OIDC_ISSUER") { text throws(InvalidValue) in try Issuer(text) } ?? Issuer.unset
        platformKey = reader.secret("PLATFORM_KEY")
        if !platformKey.isEmpty, (try? AESGCMBox(base64Key: platformKey.reveal())) == nil {
            // Why the text is no key must not be shown; that it is none is enough to repair it.
            reader.report("PLATFORM_KEY", "must be 32 bytes in base64")
        }
        clientsFile = reader.optionalString("PASSPORT_CLIENTS_FILE")
        registration = reader.choice("PASSPORT_REGISTRATION", default: .closed)
        let proxies = reader.string("PASSPORT_TRUSTED_PROXIES", default: "127.0.0.1,::1")
        trustedProxies = Set(proxies.split(separator: ",").map { $0.filter { !$0.isWhitespace } })
        lifetimes = Lifetimes(reader: &reader)
        passwordThreads = reader.integer("PASSWORD_HASH_THREADS", default: 2, in: 1...32)
        passwordQueue = reader.integer("PASSWORD_HASH_QUEUE", default: 64, in: 1...10_000)
    }
}

/// Where passport's database is.
struct DatabaseSettings: Sendable {
    let url: Secret
    let poolSize: Int

    init(reader: inout ConfigurationReader) {
        url = reader.secret("DATABASE_URL")
        poolSize = reader.integer("DATABASE_POOL_SIZE", default: 8, in: 1...64)
    }
}

/// Whether people may make accounts for themselves.
enum RegistrationPolicy: String, CaseIterable, Sendable {
    case open, closed
}

/// How long things live.
struct Lifetimes: Sendable {
    var accessToken: Duration = .seconds(3600)
    var idToken: Duration = .seconds(3600)
    var code: Duration = .seconds(60)
    var refreshToken: Duration = .seconds(5_184_000)
    var session: Duration = .seconds(1_209_600)

    init() {}

    init(reader: inout ConfigurationReader) {
        accessToken = .seconds(reader.integer("ACCESS_TOKEN_EXPIRE_SECONDS", default: 3600, in: 60...3600))
        idToken = .seconds(reader.integer("ID_TOKEN_EXPIRE_SECONDS", default: 3600, in: 60...3600))
        code = .seconds(reader.integer("AUTHORIZATION_CODE_EXPIRE_SECONDS", default: 60, in: 10...600))
        refreshToken = .seconds(
            reader.integer("REFRESH_TOKEN_EXPIRE_SECONDS", default: 5_184_000, in: 3600...31_536_000))
        session = .seconds(reader.integer("SESSION_EXPIRE_SECONDS", default: 1_209_600, in: 300...7_776_000))
    }
}

/// The URL by which the world knows this provider: `<base>/oauth`.
struct Issuer: Sendable, Hashable, CustomStringConvertible {
    static let unset = Issuer(base: "http://invalid")

    /// The issuer without its path: where the pages are.
    let base: String

    private init(base: String) { self.base = base }

    init(_ text: String) throws(InvalidValue) {
        let malformed = InvalidValue(
            kind: "issuer", message: "must be an http or https URL ending in /oauth, such as http://host/oauth")
        guard text.hasSuffix("/oauth"), let scheme = text.firstRange(of: "://"),
            ["http", "https"].contains(text[..<scheme.lowerBound])
        else { throw malformed }
        let base = text.dropLast("/oauth".count)
        let host = base[scheme.upperBound...]
        guard !host.isEmpty, !host.contains(where: { "/?#@ ".contains($0) }) else { throw malformed }
        self.base = String(base)
    }

    var description: String { base + "/oauth" }

    /// Whether people reach it over TLS, so that cookies may demand it.
    var isSecure: Bool { base.hasPrefix("https://") }

    /// The absolute URL of a path.
    func url(_ path: String) -> String { base + path }
}
