import FoundationEssentials
import PlatformModel

/// What the files of a source say about how to build and run it.
struct SourceDescription: Sendable {
    /// Text of the root Dockerfile, empty without one.
    let dockerfile: String
    let procfile: [String: String]
    let dryccfile: JSONValue
    /// Images that pipelines of `.drycc` build beside, or instead of, the root Dockerfile's.
    let builds: [DryccDirectory.ImageBuild]
    /// `KEY=VALUE` lines of `.build-arg`.
    let buildArguments: [String: String]

    /// - Throws: ``BuildFailure`` when a file breaks its rules.
    init(directory: String) throws {
        dockerfile = try Self.text(directory + "/Dockerfile") ?? ""
        procfile = try Self.text(directory + "/Procfile").map { text throws(BuildFailure) in try Procfile(text).commands } ?? [:]
        let drycc = try DryccDirectory(path: directory + "/.drycc")
        dryccfile = drycc?.document ?? [:]
        builds = drycc?.builds ?? []
        var arguments: [String: String] = [:]
        for line in (try Self.text(directory + "/.build-arg") ?? "").split(whereSeparator: \.isNewline)
        where !line.hasPrefix("#") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw BuildFailure(.detect, "The line '\(line)' of .build-arg is not KEY=VALUE.")
            }
            arguments[String(parts[0])] = String(parts[1])
        }
        buildArguments = arguments
    }

    private static func text(_ path: String) throws -> String? {
        var isDirectory = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), !isDirectory else { return nil }
        return String(decoding: try Data(contentsOf: URL(filePath: path)), as: UTF8.self)
    }
}
