import FoundationEssentials
import PlatformModel

/// One image of an app with what it says about its processes.
struct Build: Sendable, Equatable {
    let uuid: UUID
    let app: UUID
    let image: String
    let stack: String
    let sha: String
    let procfile: [String: String]
    let dryccfile: JSONValue
    let dockerfile: String
    /// The port the image declares, when it declares one.
    let port: Int?
    let created: Date
    let updated: Date

    init(
        uuid: UUID, app: UUID, content: BuildContent, created: Date, updated: Date
    ) {
        self.uuid = uuid
        self.app = app
        self.image = content.image
        self.stack = content.stack
        self.sha = content.sha
        self.procfile = content.procfile
        self.dryccfile = content.dryccfile
        self.dockerfile = content.dockerfile
        self.port = content.port
        self.created = created
        self.updated = updated
    }

    var content: BuildContent {
        BuildContent(
            image: image, stack: stack, sha: sha, procfile: procfile, dryccfile: dryccfile, dockerfile: dockerfile,
            port: port)
    }
}

/// What a build is made of, before it has a row.
struct BuildContent: Sendable, Equatable {
    var image: String
    var stack: String
    var sha: String
    var procfile: [String: String]
    var dryccfile: JSONValue
    var dockerfile: String
    var port: Int?
    var size: Int?

    init(
        image: String, stack: String, sha: String = "", procfile: [String: String] = [:], dryccfile: JSONValue = [:],
        dockerfile: String = "", port: Int? = nil, size: Int? = nil
    ) {
        self.image = image
        self.stack = stack
        self.sha = sha
        self.procfile = procfile
        self.dryccfile = dryccfile
        self.dockerfile = dockerfile
        self.port = port
        self.size = size
    }
}
