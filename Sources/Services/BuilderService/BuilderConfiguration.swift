import Glibc
package import PlatformModel
package import ServiceHTTP
package import ServiceRuntime

/// What the builder reads from its environment.
///
/// - `BUILDER_SSH_LISTEN` (127.0.0.1:2222), `BUILDER_HEALTH_LISTEN` (127.0.0.1:8092).
/// - `BUILDER_GIT_DIRECTORY`: kept repositories, host keys and the hook's socket; absolute.
/// - `BUILDER_WORK_DIRECTORY`: caches and work folders of builds; `build` below the git directory unless given.
/// - `BUILDER_NAME`: who claims build runs, the host's name unless given; a restarted builder goes on under its
///   name at once, two builders need two names.
/// - `BUILDER_MAXIMUM_CONNECTIONS` (128), `BUILDER_CONCURRENT_BUILDS` (2).
/// - `BUILDER_SOURCE_SIZE_LIMIT` (1024), `BUILDER_PUSH_SIZE_LIMIT` (2048): MiB. `BUILDER_SOURCE_FILE_LIMIT` (100000).
/// - `BUILDER_DRAIN_TIMEOUT`: seconds pushes may go on after SIGTERM, 12.
/// - `BUILDER_IMAGEBUILDER`: the program, beside this one unless given. `BUILDER_IMAGEBUILDER_ENVIRONMENT`: names of
///   variables it inherits, separated by commas.
/// - `BUILDER_CLEAN_INTERVAL`: seconds between two cleanings of layer cache and source bundles, 900.
/// - `BUILDER_SOURCE_GRACE`: seconds a source bundle stays in any case, 3600.
/// - `STORAGE_URL`, `STORAGE_ACCESS_KEY`, `STORAGE_SECRET_KEY` (secret), `AMQP_URL` (secret), `CONTROLLER_URL`.
/// - `OIDC_ISSUER`, `OIDC_INTERNAL_URL`, `OIDC_CLIENT_ID` (builder), `OIDC_CLIENT_SECRET` (secret).
package struct BuilderConfiguration: Sendable {
    package var sshListen: ListenAddress
    package var healthListen: ListenAddress
    package var gitDirectory: String
    package var workDirectory: String
    package var name: String
    package var maximumConnections: Int
    package var concurrentBuilds: Int
    package var limits: SourceLimits
    package var drainTimeout: Duration
    package var imageBuilder: String
    package var imageBuilderVariables: [String]
    package var cleanInterval: Duration
    package var sourceGrace: Duration
    package var storage: StorageSettings
    package var amqpURL: Secret
    package var controllerURL: String
    package var tokenURL: String
    package var clientID: String
    package var clientSecret: Secret

    package init(reader: inout ConfigurationReader) {
        sshListen = reader.listen("BUILDER_SSH_LISTEN", default: "127.0.0.1:2222")
        healthListen = reader.listen("BUILDER_HEALTH_LISTEN", default: "127.0.0.1:8092")
        gitDirectory = reader.string("BUILDER_GIT_DIRECTORY")
        if !gitDirectory.isEmpty, !gitDirectory.hasPrefix("/") {
            reader.report("BUILDER_GIT_DIRECTORY", "must be an absolute path")
        }
        workDirectory = reader.string("BUILDER_WORK_DIRECTORY", default: gitDirectory + "/build")
        name = reader.string("BUILDER_NAME", default: Self.hostName())
        maximumConnections = reader.integer("BUILDER_MAXIMUM_CONNECTIONS", default: 128, in: 1...200)
        concurrentBuilds = reader.integer("BUILDER_CONCURRENT_BUILDS", default: 2, in: 1...64)
        limits = SourceLimits(
            sourceBytes: reader.integer("BUILDER_SOURCE_SIZE_LIMIT", default: 1024, in: 1...65536) << 20,
            pushBytes: reader.integer("BUILDER_PUSH_SIZE_LIMIT", default: 2048, in: 1...65536) << 20,
            files: reader.integer("BUILDER_SOURCE_FILE_LIMIT", default: 100_000, in: 1...10_000_000))
        drainTimeout = reader.duration("BUILDER_DRAIN_TIMEOUT", default: .seconds(12))
        imageBuilder = reader.string("BUILDER_IMAGEBUILDER", default: Self.ownDirectory() + "/imagebuilder")
        imageBuilderVariables = reader.string(
            "BUILDER_IMAGEBUILDER_ENVIRONMENT", default: "CONTAINERS_CONF,CONTAINERS_STORAGE_CONF,XDG_RUNTIME_DIR"
        ).split(separator: ",").map(String.init)
        cleanInterval = max(.seconds(1), reader.duration("BUILDER_CLEAN_INTERVAL", default: .seconds(900)))
        sourceGrace = reader.duration("BUILDER_SOURCE_GRACE", default: .seconds(3600))
        storage = StorageSettings(
            url: reader.string("STORAGE_URL"), accessKey: reader.optionalString("STORAGE_ACCESS_KEY"),
            secretKey: reader.optionalSecret("STORAGE_SECRET_KEY"))
        amqpURL = reader.secret("AMQP_URL")
        controllerURL = reader.string("CONTROLLER_URL", default: "http://127.0.0.1:8000")
        let issuer = reader.string("OIDC_ISSUER")
        tokenURL = "\(reader.string("OIDC_INTERNAL_URL", default: issuer))/token/"
        clientID = reader.string("OIDC_CLIENT_ID", default: "builder")
        clientSecret = reader.secret("OIDC_CLIENT_SECRET")
    }

    private static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "builder" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The folder of the running program.
    static func ownDirectory() -> String {
        let path = ownExecutable()
        return path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "/usr/local/bin"
    }

    static func ownExecutable() -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        return String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// How to reach the object store; handed on to image builds.
package struct StorageSettings: Sendable {
    package let url: String
    package let accessKey: String?
    package let secretKey: Secret?

    package init(url: String, accessKey: String? = nil, secretKey: Secret? = nil) {
        self.url = url
        self.accessKey = accessKey
        self.secretKey = secretKey
    }
}

/// How much one push may bring.
package struct SourceLimits: Sendable {
    /// Sum of the sizes of a commit's files.
    package let sourceBytes: Int
    /// Size of the pack a client sends.
    package let pushBytes: Int
    package let files: Int

    package init(sourceBytes: Int, pushBytes: Int, files: Int) {
        self.sourceBytes = sourceBytes
        self.pushBytes = pushBytes
        self.files = files
    }
}
