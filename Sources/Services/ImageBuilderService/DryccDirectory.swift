import PlatformModel
import Yams

/// The `.drycc` folder of a source: config groups and one pipeline file for each process type.
///
/// The JSON form is the controller's dryccfile: `{"config": {group: {name: value}}, "pipeline": {file: …}}`.
struct DryccDirectory: Sendable {
    /// A pipeline that builds an image of its own.
    struct ImageBuild: Sendable, Equatable {
        let processType: ProcessType
        let dockerfile: String
        let arguments: [String: String]
    }

    let document: JSONValue
    let builds: [ImageBuild]

    /// Reads the folder; nil when the source has none.
    ///
    /// - Throws: ``BuildFailure`` naming the file and what is wrong in it.
    init?(source: SourceTree) throws {
        guard let files = try source.names(in: ".drycc") else { return nil }
        var config: [String: JSONValue] = [:]
        for name in try source.names(in: ".drycc/config") ?? [] {
            guard let text = try source.text(".drycc/config/" + name) else { continue }
            config[name] = .object(try Self.group(name, text))
        }
        var pipelines: [String: JSONValue] = [:]
        var builds: [ImageBuild] = []
        for name in files where name.hasSuffix(".yml") || name.hasSuffix(".yaml") {
            guard let text = try source.text(".drycc/" + name) else { continue }
            let pipeline = try Self.pipeline(name, text)
            pipelines[name] = pipeline
            if let build = try Self.imageBuild(name, pipeline) { builds.append(build) }
        }
        document =
            pipelines.isEmpty && config.isEmpty
            ? [:] : .object(["config": .object(config), "pipeline": .object(pipelines)])
        self.builds = builds
    }

    private static func group(_ name: String, _ text: String) throws -> [String: JSONValue] {
        var values: [String: JSONValue] = [:]
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty,
                parts[0].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber) || "_-.".contains($0) })
            else {
                throw BuildFailure(
                    .detect,
                    "'\(line)' in .drycc/config/\(name) does not match the pattern 'key=var', ex: MODE=test")
            }
            values[String(parts[0])] = .string(String(parts[1]))
        }
        return values
    }

    private static func pipeline(_ name: String, _ text: String) throws -> JSONValue {
        let value: JSONValue
        do {
            value = try YAMLDecoder().decode(JSONValue.self, from: text)
        } catch let error as DecodingError {
            throw BuildFailure(.detect, "The file .drycc/\(name) is not valid YAML: \(error)")
        }
        let known: Set = ["kind", "ptype", "build", "env", "run", "config", "deploy"]
        guard let members = value.objectValue else {
            throw BuildFailure(.detect, "The file .drycc/\(name) is not a pipeline.")
        }
        if let unknown = Set(members.keys).subtracting(known).sorted().first {
            throw BuildFailure(.detect, "The file .drycc/\(name) has the unknown member \(unknown).")
        }
        guard members["kind"]?.stringValue == "pipeline", members["ptype"]?.stringValue != nil,
            members["deploy"]?.objectValue != nil
        else {
            throw BuildFailure(
                .detect, "The file .drycc/\(name) must have `kind: pipeline`, `ptype` and `deploy`.")
        }
        return value
    }

    private static func imageBuild(_ name: String, _ pipeline: JSONValue) throws -> ImageBuild? {
        guard let build = pipeline["build"], !build.isNull, let type = pipeline["ptype"]?.stringValue else {
            return nil
        }
        let processType: ProcessType
        do throws(InvalidValue) {
            processType = try ProcessType(type)
        } catch {
            throw BuildFailure(.detect, "The file .drycc/\(name) names the process type \(type): \(error.message)")
        }
        let arguments = build["arg"]?.objectValue?.compactMapValues(\.stringValue) ?? [:]
        return ImageBuild(
            processType: processType, dockerfile: build["docker"]?.stringValue ?? "Dockerfile", arguments: arguments)
    }

    /// The document with each image that was built for a process type named by its digest, wherever a pipeline uses it.
    ///
    /// - Parameter images: pinned references by process type.
    static func document(_ document: JSONValue, using images: [String: String]) -> JSONValue {
        guard !images.isEmpty, var members = document.objectValue, let pipelines = members["pipeline"]?.objectValue
        else {
            return document
        }
        members["pipeline"] = .object(
            pipelines.mapValues { pipeline in
                guard var sections = pipeline.objectValue else { return pipeline }
                for name in ["deploy", "run"] {
                    guard var section = sections[name]?.objectValue else { continue }
                    let used = section["image"]?.stringValue ?? sections["ptype"]?.stringValue ?? ""
                    if let image = images[used] { section["image"] = .string(image) }
                    sections[name] = .object(section)
                }
                return .object(sections)
            })
        return .object(members)
    }
}
