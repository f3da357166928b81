import PlatformModel

/// The documents of the controller's build hooks, as they go over the wire.
enum HookModels {
    struct KeyOwner: Decodable { let username: String }

    struct AccessCheck: Encodable {
        let user: String
        let app: String
        let access: String?

        enum CodingKeys: String, CodingKey {
            case user = "receive_user"
            case app = "receive_repo"
            case access
        }
    }

    struct SourceKeys: Encodable { let keys: [String] }

    struct NeededSources: Decodable { let needed: [String] }

    struct Claim: Encodable { let holder: String }

    struct Heartbeat: Encodable { let fence: Int }

    struct HeartbeatReply: Decodable { let cancelled: Bool }

    struct LogLines: Encodable {
        let fence: Int
        let lines: [LogLine]
    }

    struct LogLine: Encodable, Sendable, Equatable {
        let phase: String
        let text: String
    }

    struct Phase: Encodable {
        let fence: Int
        let phase: String
        let text: String
        let seconds: Double
    }

    struct Failure: Encodable {
        let fence: Int
        let phase: String
        let reason: String
        let hint: String?
    }

    /// What a refusal says: an object with one of the usual members.
    struct Refusal: Decodable {
        struct Detail: Decodable { let message: String? }

        let detail: String?
        let error: Detail?
    }
}

/// A push to be recorded.
struct PushRecord: Encodable, Sendable {
    let user: String
    let app: String
    let sha: String
    let ref: String
    let message: String
    let sourceKey: String
    let sourceDigest: String
    let sourceSize: Int

    enum CodingKeys: String, CodingKey {
        case user = "receive_user"
        case app = "receive_repo"
        case sha, ref, message
        case sourceKey = "source_key"
        case sourceDigest = "source_digest"
        case sourceSize = "source_size"
    }
}

/// A build run the controller has opened for a push.
struct OpenedRun: Decodable, Sendable, Equatable {
    let id: String
    let app: String
    let number: Int
}

/// What a claim of a build run hands to the builder.
struct ClaimedRun: Decodable, Sendable {
    let fence: Int
    let app: AppName
    let user: String
    let sha: String
    let sourceKey: String
    let sourceDigest: String
    let repository: String
    let tag: String
    let registryUsername: String
    let registryPassword: String
    let buildEnvironment: [String: String]?
    let processTypes: [String]?
    let stack: String?
    let timeoutSeconds: Int?

    enum CodingKeys: String, CodingKey {
        case fence, app, user, sha, repository, tag, stack
        case sourceKey = "source_key"
        case sourceDigest = "source_digest"
        case registryUsername = "registry_username"
        case registryPassword = "registry_password"
        case buildEnvironment = "build_env"
        case processTypes = "process_types"
        case timeoutSeconds = "timeout_seconds"
    }
}

/// One entry of a build run's record.
struct RunEvent: Decodable, Sendable, Equatable {
    enum Kind: String, Decodable, Sendable {
        case header, phase, line, end
    }

    enum State: String, Decodable, Sendable {
        case live, failed, cancelled, superseded
    }

    var seq: Int?
    var kind: Kind?
    var phase: String?
    var text: String?
    var seconds: Double?
    var state: State?
    var exit: Int?
    var heartbeat: Bool?
}
