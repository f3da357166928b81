import FoundationEssentials
import PlatformModel

/// One line of the event stream on standard output.
struct BuildEvent: Encodable, Sendable {
    enum Phase: String, Encodable, Sendable {
        case source, detect, build, image
    }

    private var event: String
    private var phase: Phase?
    private var text: String?
    private var seconds: Double?
    private var image: String?
    private var digest: String?
    private var size: Int?
    private var stack: String?
    private var procfile: [String: String]?
    private var dryccfile: JSONValue?
    private var dockerfile: String?
    private var port: Int?
    private var reason: String?
    private var hint: String?

    private init(_ event: String) { self.event = event }

    /// Output of the build, cleaned and cut to 4096 characters.
    static func line(_ phase: Phase, _ text: String) -> BuildEvent {
        var event = BuildEvent("line")
        event.phase = phase
        event.text = String(TerminalText.plain(text).prefix(4096))
        return event
    }

    /// A phase that has finished well; `text` fits the 47 columns of the push output.
    static func finished(_ phase: Phase, _ text: String, _ duration: Duration) -> BuildEvent {
        var event = BuildEvent("phase")
        event.phase = phase
        event.text = String(text.prefix(47))
        let (seconds, attoseconds) = duration.components
        event.seconds = ((Double(seconds) + Double(attoseconds) / 1e18) * 1000).rounded() / 1000
        return event
    }

    static func result(_ result: BuildResult) -> BuildEvent {
        var event = BuildEvent("result")
        event.image = result.image
        event.digest = result.digest
        event.size = result.size
        event.stack = BuildJob.Stack.container.rawValue
        event.procfile = result.description.procfile
        event.dryccfile = result.dryccfile
        event.dockerfile = result.description.reportedDockerfile
        event.port = result.port
        return event
    }

    static func failed(_ failure: BuildFailure) -> BuildEvent {
        var event = BuildEvent("failed")
        event.phase = failure.phase
        event.reason = String(TerminalText.plain(failure.reason).prefix(2000))
        event.hint = failure.hint.map { String(TerminalText.plain($0).prefix(1000)) }
        return event
    }
}

/// An image that is in the registry, and how to run it.
struct BuildResult: Sendable {
    let image: String
    let digest: String
    /// Compressed bytes of all layers.
    let size: Int
    let port: Int?
    let description: SourceDescription
    /// The description's, with images built for process types named by digest.
    let dryccfile: JSONValue
}

/// The source, or the time it may take, is at fault.
struct BuildFailure: Error, Sendable {
    let phase: BuildEvent.Phase
    /// One sentence naming the cause.
    let reason: String
    /// What to do next.
    let hint: String?

    init(_ phase: BuildEvent.Phase, _ reason: String, hint: String? = nil) {
        self.phase = phase
        self.reason = reason
        self.hint = hint
    }
}

/// Storage or registry cannot be reached: the task is tried again later.
struct TemporaryFailure: Error, CustomStringConvertible {
    let description: String
}
