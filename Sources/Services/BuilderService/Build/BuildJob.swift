import PlatformModel

/// The job an imagebuilder reads from its standard input; services/imagebuilder/PROTOCOL.md describes the members.
struct BuildJob: Encodable {
    struct Storage: Encodable {
        let url: String
        let accessKey: String?
        let secretKey: String?

        enum CodingKeys: String, CodingKey {
            case url
            case accessKey = "access_key"
            case secretKey = "secret_key"
        }
    }

    let version = 1
    let buildRun: String
    let fence: Int
    let app: AppName
    let user: String
    let sha: String
    let sourceKey: String
    let sourceDigest: String
    let storage: Storage
    let repository: String
    let tag: String
    let registryUsername: String
    let registryPassword: String
    let isRegistryInsecure: Bool
    let buildEnvironment: [String: String]
    let processTypes: [String]
    let stack: String?
    let timeoutSeconds: Int
    let cacheDirectory: String
    let workDirectory: String

    enum CodingKeys: String, CodingKey {
        case version, fence, app, user, sha, storage, repository, tag, stack
        case buildRun = "build_run"
        case sourceKey = "source_key"
        case sourceDigest = "source_digest"
        case registryUsername = "registry_username"
        case registryPassword = "registry_password"
        case isRegistryInsecure = "registry_insecure"
        case buildEnvironment = "build_env"
        case processTypes = "process_types"
        case timeoutSeconds = "timeout_seconds"
        case cacheDirectory = "cache_directory"
        case workDirectory = "work_directory"
    }

    init(run: String, claim: ClaimedRun, storage: StorageSettings, cacheDirectory: String, workDirectory: String) {
        buildRun = run
        fence = claim.fence
        app = claim.app
        user = claim.user
        sha = claim.sha
        sourceKey = claim.sourceKey
        sourceDigest = claim.sourceDigest
        self.storage = Storage(
            url: storage.url, accessKey: storage.accessKey, secretKey: storage.secretKey?.reveal())
        repository = claim.repository
        tag = claim.tag
        registryUsername = claim.registryUsername
        registryPassword = claim.registryPassword
        isRegistryInsecure = Self.isLoopback(claim.repository)
        buildEnvironment = claim.buildEnvironment ?? [:]
        processTypes = claim.processTypes ?? []
        stack = claim.stack
        timeoutSeconds = claim.timeoutSeconds ?? 1800
        self.cacheDirectory = cacheDirectory
        self.workDirectory = workDirectory
    }

    /// Whether the registry of a reference is on this machine, where plain HTTP is what everyone speaks.
    static func isLoopback(_ reference: String) -> Bool {
        let host = reference.prefix { $0 != "/" }
        let name = host.hasPrefix("[") ? host.dropFirst().prefix { $0 != "]" } : host.prefix { $0 != ":" }
        let octets = name.split(separator: ".", omittingEmptySubsequences: false)
        let isIPv4 = octets.count == 4 && octets.allSatisfy { UInt8($0) != nil } && octets[0] == "127"
        return isIPv4 || name == "localhost" || name == "::1"
    }
}

/// What an imagebuilder says on its standard output.
struct BuildEvent: Decodable {
    let event: String
    var phase: String?
    var text: String?
    var seconds: Double?
    var reason: String?
    var hint: String?
}

/// The image that came out of a build.
struct BuildResult: Codable, Sendable, Equatable {
    let image: String
    let digest: String
    let size: Int
    let stack: String
    let procfile: JSONValue
    let dryccfile: JSONValue
    let dockerfile: String
    let port: Int?

    /// As the controller takes it.
    struct Report: Encodable {
        let fence: Int
        let result: BuildResult

        private enum CodingKeys: String, CodingKey { case fence }

        func encode(to encoder: any Encoder) throws {
            try result.encode(to: encoder)
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(fence, forKey: .fence)
        }
    }
}
