import FoundationEssentials
import OCIRegistry
import PlatformModel
import ServiceHTTP

/// What to build, from where, and where to push: the one JSON object on standard input.
///
/// services/imagebuilder/PROTOCOL.md describes every member.
struct BuildJob: Decodable, Sendable {
    struct Storage: Decodable, Sendable {
        let url: String
        let accessKey: String?
        let secretKey: String?

        enum CodingKeys: String, CodingKey {
            case url
            case accessKey = "access_key"
            case secretKey = "secret_key"
        }
    }

    enum Stack: String, Decodable, Sendable {
        case container, buildpack
    }

    let buildRun: String
    let fence: Int
    let app: AppName
    let sha: String
    let sourceKey: String
    let sourceDigest: String
    let storage: Storage
    let repository: ImageReference
    let tag: ImageTag
    let registryUsername: String?
    private let registryPasswordText: String?
    let isRegistryInsecure: Bool
    let buildEnvironment: [String: String]
    let stack: Stack?
    let timeoutSeconds: Int
    let cacheDirectory: String
    let workDirectory: String

    var registryPassword: Secret? { registryPasswordText.map { Secret($0) } }

    enum CodingKeys: String, CodingKey {
        case buildRun = "build_run"
        case fence, app, sha, storage, repository, tag, stack
        case sourceKey = "source_key"
        case sourceDigest = "source_digest"
        case registryUsername = "registry_username"
        case registryPasswordText = "registry_password"
        case isRegistryInsecure = "registry_insecure"
        case buildEnvironment = "build_env"
        case timeoutSeconds = "timeout_seconds"
        case cacheDirectory = "cache_directory"
        case workDirectory = "work_directory"
    }

    /// - Throws: ``UnusableJob`` when the text is no job.
    static func read(_ bytes: [UInt8]) throws(UnusableJob) -> BuildJob {
        do {
            return try JSONCoding.decoder.decode(BuildJob.self, from: Data(bytes))
        } catch {
            throw UnusableJob(detail: "standard input holds no build job: \(error)")
        }
    }
}

/// The job or the set-up cannot be worked with: exit status 2.
struct UnusableJob: Error, CustomStringConvertible {
    let detail: String

    var description: String { detail }
}
