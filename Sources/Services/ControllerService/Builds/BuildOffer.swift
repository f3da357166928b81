import PlatformModel

/// What a build offers to run: its process types, and image, command and arguments of each.
struct BuildOffer: Sendable, Equatable {
    /// How the image came about; decides who splits the command line.
    enum Kind: Sendable {
        case dockerfile, buildpack, image
    }

    /// A one-off step before a deploy.
    struct Runner: Sendable, Equatable {
        let ptype: String
        let image: String
        let command: [String]
        let arguments: [String]
        /// Seconds; nil means the platform's default.
        let timeout: Int?
    }

    /// What starts one process.
    struct Launch: Sendable, Equatable {
        let image: String
        let command: [String]
        let arguments: [String]
    }

    private let content: BuildContent
    /// Pipelines by file name.
    private let pipelines: [(name: String, pipeline: JSONValue)]

    init(_ content: BuildContent) {
        self.content = content
        pipelines = (content.dryccfile["pipeline"]?.objectValue ?? [:])
            .sorted { $0.key < $1.key }.map { (name: $0.key, pipeline: $0.value) }
    }

    static func == (left: Self, right: Self) -> Bool { left.content == right.content }

    var kind: Kind {
        if !content.dockerfile.isEmpty { return .dockerfile }
        return content.sha.isEmpty ? .image : .buildpack
    }

    var hasDryccfile: Bool { !(content.dryccfile.objectValue ?? [:]).isEmpty }

    var ptypes: [String] {
        if hasDryccfile { return pipelines.compactMap { $0.pipeline["ptype"]?.stringValue } }
        let names = content.procfile.keys.sorted()
        return names.isEmpty ? ["web"] : names
    }

    func launch(of ptype: String) -> Launch {
        guard hasDryccfile else {
            return Launch(image: content.image, command: [], arguments: procfileArguments(of: ptype))
        }
        let deploy = pipeline(of: ptype)?["deploy"]
        return Launch(
            image: resolve(deploy?["image"]?.stringValue, default: ptype),
            command: deploy?["command"]?.strings ?? [],
            arguments: deploy?["args"]?.strings ?? [])
    }

    /// The steps to run before deploying `wanted`, in the order of their file names.
    func runners(for wanted: Set<String>) -> [Runner] {
        pipelines.compactMap { entry in
            guard let ptype = entry.pipeline["ptype"]?.stringValue, wanted.contains(ptype),
                let run = entry.pipeline["run"], run.objectValue != nil
            else { return nil }
            return Runner(
                ptype: ptype, image: resolve(run["image"]?.stringValue, default: ptype),
                command: run["command"]?.strings ?? [], arguments: run["args"]?.strings ?? [],
                timeout: run["timeout"]?.integerValue)
        }
    }

    /// Everything that may be started: the images of all process types and of the steps before their deploys.
    var images: Set<String> {
        Set(ptypes.map { launch(of: $0).image }).union(runners(for: Set(ptypes)).map(\.image))
    }

    private func pipeline(of ptype: String) -> JSONValue? {
        pipelines.first { $0.pipeline["ptype"]?.stringValue == ptype }?.pipeline
    }

    /// The image built for a process type: the main one, or its own when its pipeline has a `build` section.
    func image(of ptype: String) -> String {
        guard pipeline(of: ptype)?["build"] != nil else { return content.image }
        return ptype == "web" ? content.image : "\(content.image)-\(ptype)"
    }

    private func resolve(_ name: String?, default ptype: String) -> String {
        guard let name, !name.isEmpty else { return image(of: ptype) }
        return pipeline(of: name)?["build"] != nil ? image(of: name) : name
    }

    private func procfileArguments(of ptype: String) -> [String] {
        guard kind != .buildpack, let line = content.procfile[ptype] else { return [] }
        return line.split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
