import FoundationEssentials
import PlatformModel
import Postgres

/// The durable record of one push.
struct BuildRun: Sendable, Equatable {
    enum State: String, Sendable, PostgresDecodable, PostgresEncodable {
        case queued, building, publishing, deploying, live, failed, cancelled, superseded

        var isTerminal: Bool { [.live, .failed, .cancelled, .superseded].contains(self) }
    }

    let uuid: UUID
    let app: UUID
    let number: Int
    let username: String
    let sha: String
    let ref: String
    let message: String
    let sourceKey: String
    let sourceDigest: String
    let sourceSize: Int
    let state: State
    let fence: Int
    let holder: String?
    let leaseExpires: Date?
    let isCancelRequested: Bool
    let build: UUID?
    let release: UUID?
    let reason: String?
    let created: Date
    let started: Date?
    let finished: Date?
}

/// One line of what a terminal shows of a build run, in the order it happened.
struct BuildRunEvent: Sendable, Equatable {
    enum Kind: String, Sendable, PostgresDecodable, PostgresEncodable {
        case header, phase, line, end
    }

    let kind: Kind
    let phase: String?
    let text: String
    let seconds: Double?
    let state: BuildRun.State?
    let exit: Int?

    private init(
        kind: Kind, phase: String? = nil, text: String, seconds: Double? = nil, state: BuildRun.State? = nil,
        exit: Int? = nil
    ) {
        self.kind = kind
        self.phase = phase
        // PostgreSQL's text holds no zero byte; builds print anything.
        self.text = String(text.unicodeScalars.filter { $0.value != 0 }.map(Character.init))
        self.seconds = seconds
        self.state = state
        self.exit = exit
    }

    static func header(_ text: String) -> Self { Self(kind: .header, text: text) }

    static func phase(_ phase: String, _ text: String, seconds: Double) -> Self {
        Self(kind: .phase, phase: phase, text: text, seconds: seconds)
    }

    static func line(_ phase: String, _ text: String) -> Self { Self(kind: .line, phase: phase, text: text) }

    static func end(_ state: BuildRun.State, _ text: String, seconds: Double) -> Self {
        Self(kind: .end, text: text, seconds: seconds, state: state, exit: state == .live ? 0 : 1)
    }

    init(_ row: Row) throws(PostgresError) {
        kind = try row.decode("kind")
        phase = try row.decode("phase")
        text = try row.decode("text")
        seconds = try row.decode("seconds")
        state = try row.decode("state")
        exit = try row.decode("exit")
    }
}
