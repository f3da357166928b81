import FoundationEssentials
package import PlatformModel
package import ServiceHTTP
package import ServiceRuntime

/// Everything the controller is told from outside.
///
/// | key | meaning, default |
/// | --- | --- |
/// | `DATABASE_URL` | secret; libpq URI of the controller's own database |
/// | `DATABASE_POOL_SIZE` | connections, 8 (1 to 64) |
/// | `AMQP_URL` | secret; broker that carries the tasks |
/// | `PLATFORM_KEY` | secret; 32 bytes in base64 that seal config values and tokens at rest |
/// | `PLATFORM_KEYS_RETIRED` | secret; older keys, separated by commas, that still open |
/// | `PLATFORM_DOMAIN` | apps are served at `<app>.<domain>`, `workflow.localhost` |
/// | `CONTROLLER_LISTEN`, `CONTROLLER_WORKER_LISTEN` | `127.0.0.1:8000`, `127.0.0.1:8002` |
/// | `OIDC_ISSUER`, `OIDC_INTERNAL_URL` | passport's issuer; how to reach it directly (the issuer) |
/// | `OIDC_CLIENT_ID`, `OIDC_CLIENT_SECRET` | the controller's client, `controller`; secret |
/// | `LOGIN_DONE_URL`, `REGISTRATION_URL` | pages shown after a browser sign-in (a page of ours) and in invitations |
/// | `LOGGER_URL`, `LOGGER_AUTH` | logger, `http://127.0.0.1:8088`; `token` or `none` |
/// | `REGISTRY_HOST` | the registry's `host:port` in image names, `127.0.0.1:5000` |
/// | `REGISTRY_TOKEN_SERVICE`, `REGISTRY_TOKEN_ISSUER` | `workflow-registry`, `workflow-controller` |
/// | `REGISTRY_TOKEN_PRIVATE_KEY` | secret; PEM of the ES256 key that signs registry tokens, or a path in `…_FILE` |
/// | `THROTTLE_ANONYMOUS`, `THROTTLE_LOGIN` | requests a minute and caller, 120, 240; 0 is no limit |
/// | `THROTTLE_USER` | requests a minute and caller, 600; 0 is no limit |
/// | `USER_CACHE_SECONDS` | how long a bearer token's user is believed, 300 |
package struct ControllerConfiguration: Sendable {
    package let databaseURL: Secret
    package let databasePoolSize: Int
    package let amqpURL: Secret
    package let platformKey: Secret
    package let retiredKeys: Secret?
    package let platformDomain: String
    package let listen: ListenAddress
    package let workerListen: ListenAddress
    package let issuer: String
    package let internalURL: String
    package let clientID: String
    package let clientSecret: Secret
    package let loginDoneURL: String?
    package let registrationURL: String
    package let loggerURL: String
    package let isLoggerProtected: Bool
    package let registryHost: String
    package let registryService: String
    package let registryIssuer: String
    package let registryKey: Secret
    package let throttleAnonymous: Int
    package let throttleLogin: Int
    package let throttleUser: Int
    package let userCacheSeconds: Int

    /// How the logger is asked.
    private enum LoggerAuth: String, CaseIterable {
        case token, none
    }

    /// Reads all keys; problems are collected in `reader`.
    package init(reader: inout ConfigurationReader) {
        databaseURL = reader.secret("DATABASE_URL")
        databasePoolSize = reader.integer("DATABASE_POOL_SIZE", default: 8, in: 1...64)
        amqpURL = reader.secret("AMQP_URL")
        platformKey = reader.secret("PLATFORM_KEY")
        retiredKeys = reader.optionalSecret("PLATFORM_KEYS_RETIRED")
        platformDomain = reader.string("PLATFORM_DOMAIN", default: "workflow.localhost")
        listen = reader.listen("CONTROLLER_LISTEN", default: "127.0.0.1:8000")
        workerListen = reader.listen("CONTROLLER_WORKER_LISTEN", default: "127.0.0.1:8002")
        issuer = reader.string("OIDC_ISSUER")
        internalURL = Self.base(reader.optionalString("OIDC_INTERNAL_URL") ?? issuer)
        clientID = reader.string("OIDC_CLIENT_ID", default: "controller")
        clientSecret = reader.secret("OIDC_CLIENT_SECRET")
        loginDoneURL = reader.optionalString("LOGIN_DONE_URL")
        registrationURL =
            reader.optionalString("REGISTRATION_URL") ?? Self.origin(of: issuer) + "/user/registration"
        loggerURL = Self.base(reader.string("LOGGER_URL", default: "http://127.0.0.1:8088"))
        isLoggerProtected = reader.choice("LOGGER_AUTH", default: LoggerAuth.token) == .token
        registryHost = reader.string("REGISTRY_HOST", default: "127.0.0.1:5000")
        registryService = reader.string("REGISTRY_TOKEN_SERVICE", default: "workflow-registry")
        registryIssuer = reader.string("REGISTRY_TOKEN_ISSUER", default: "workflow-controller")
        registryKey = Self.registryKey(&reader)
        throttleAnonymous = reader.integer("THROTTLE_ANONYMOUS", default: 120, in: 0...1_000_000)
        throttleLogin = reader.integer("THROTTLE_LOGIN", default: 240, in: 0...1_000_000)
        throttleUser = reader.integer("THROTTLE_USER", default: 600, in: 0...1_000_000)
        userCacheSeconds = reader.integer("USER_CACHE_SECONDS", default: 300, in: 0...86_400)
    }

    private static func registryKey(_ reader: inout ConfigurationReader) -> Secret {
        if let key = reader.optionalSecret("REGISTRY_TOKEN_PRIVATE_KEY") { return key }
        guard let path = reader.optionalString("REGISTRY_TOKEN_PRIVATE_KEY_FILE") else {
            reader.report("REGISTRY_TOKEN_PRIVATE_KEY", "is not set, nor is REGISTRY_TOKEN_PRIVATE_KEY_FILE")
            return Secret("")
        }
        do {
            return Secret(try String(contentsOfFile: path, encoding: .utf8))
        } catch {
            reader.report("REGISTRY_TOKEN_PRIVATE_KEY_FILE", "names a file that cannot be read")
            return Secret("")
        }
    }

    /// A base URL without its trailing slash, to which paths are appended.
    private static func base(_ url: String) -> String { url.hasSuffix("/") ? String(url.dropLast()) : url }

    /// Scheme, host and port of a URL.
    private static func origin(of url: String) -> String {
        guard let scheme = url.firstRange(of: "://") else { return url }
        return String(url[..<scheme.upperBound]) + url[scheme.upperBound...].prefix { $0 != "/" }
    }
}
