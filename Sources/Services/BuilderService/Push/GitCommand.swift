import PlatformModel

/// A git command as it comes over SSH.
enum GitCommand: Equatable {
    case push(AppName)
    case fetch(AppName)

    /// Why a command is not served; the text is for the person who sent it.
    struct Refused: Error, Equatable {
        let message: String
    }

    /// Reads `git-receive-pack '/shop.git'` and the like.
    ///
    /// The path must be the app's name, with or without a leading slash and `.git`: nothing of it ever reaches a file
    /// system before it is an ``AppName``.
    init(parsing text: String) throws(Refused) {
        var words = text.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if words.first == "git", words.count == 2 {
            let rest = words[1].split(separator: " ", maxSplits: 1).map(String.init)
            words = ["git-" + (rest.first ?? "")] + rest.dropFirst()
        }
        guard words.count == 2, let verb = words.first else { throw Self.unknown }
        switch verb {
        case "git-receive-pack": self = .push(try Self.app(words[1]))
        case "git-upload-pack": self = .fetch(try Self.app(words[1]))
        case "git-upload-archive":
            throw Refused(message: "git archive is not served here; clone the app instead")
        default: throw Self.unknown
        }
    }

    var app: AppName {
        switch self {
        case .push(let app), .fetch(let app): app
        }
    }

    private static let unknown = Refused(message: "only git push, fetch and clone are served here")

    private static func app(_ argument: String) throws(Refused) -> AppName {
        var path = argument[...]
        if path.count >= 2, path.first == "'", path.last == "'" { path = path.dropFirst().dropLast() }
        if path.first == "/" { path = path.dropFirst() }
        if path.last == "/" { path = path.dropLast() }
        if path.hasSuffix(".git") { path = path.dropLast(4) }
        do {
            return try AppName(String(path))
        } catch {
            let shown = PushOutput.plain(String(path.prefix(63)))
            throw Refused(message: "'\(shown)' is no app name; push to ssh://git@<builder>/<app>.git")
        }
    }
}
