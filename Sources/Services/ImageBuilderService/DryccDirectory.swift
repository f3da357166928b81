import FoundationEssentials
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

    /// Reads `path`; nil when the source has no such folder.
    ///
    /// - Throws: ``BuildFailure`` naming the file and what is wrong in it.
    init?(path: String) throws {
        let files = FileManager.default
        guard files.fileExists(atPath: path) else { return nil }
        var config: [String: JSONValue] = [:]
        if files.fileExists(atPath: path + "/config") {
            for name in try files.contentsOfDirectory(atPath: path + "/config").sorted() {
                config[name] = .object(try Self.group(name, at: path + "/config/" + name))
            }
        }
        var pipelines: [String: JSONValue] = [:]
        var builds: [ImageBuild] = []
        for name in try files.contentsOfDirectory(atPath: path).sorted()
        where name.hasSuffix(".yml") || name.hasSuffix(".yaml") {
            let pipeline = try Self.pipeline(name, at: path + "/" + name)
            pipelines[name] = pipeline
            if let build = try Self.imageBuild(name, pipeline) { builds.append(build) }
        }
        document = pipelines.isEmpty && config.isEmpty
            ? [:] : .object(["config": .object(config), "pipeline": .object(pipelines)])
        self.builds = builds
    }

    private static func group(_ name: String, at path: String) throws -> [String: JSONValue] {
        var values: [String: JSONValue] = [:]
        for line in try text(path).split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
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

    private static func pipeline(_ name: String, at path: String) throws -> JSONValue {
        let value: JSONValue
        do {
            value = try YAMLDecoder().decode(JSONValue.self, from: try text(path))
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
        guard let build = pipeline["build"], !build.isNull, let type = pipeline["ptype"]?.stringValue else { return nil }
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

    private static func text(_ path: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }
}
