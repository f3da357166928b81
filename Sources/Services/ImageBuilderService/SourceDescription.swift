import FoundationEssentials
import PlatformModel
import ServiceHTTP

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

    /// The Dockerfile as far as an event can carry it; a comment says when something is left out.
    var reportedDockerfile: String {
        let text = dockerfile.filter { $0.isNewline || $0 == "\t" || $0.unicodeScalars.allSatisfy { $0.value >= 0x20 } }
        guard text.utf8.count > 8192 else { return text }
        return String(text.prefix(2048)) + "\n# The rest of this file is not shown.\n"
    }

    /// - Throws: ``BuildFailure`` when a file breaks its rules.
    init(source: SourceTree) throws {
        dockerfile = try source.text("Dockerfile") ?? ""
        procfile = try source.text("Procfile").map { text throws(BuildFailure) in try Procfile(text).commands } ?? [:]
        let drycc = try DryccDirectory(source: source)
        dryccfile = drycc?.document ?? [:]
        builds = drycc?.builds ?? []
        var arguments: [String: String] = [:]
        for line in (try source.text(".build-arg") ?? "").split(whereSeparator: \.isNewline)
        where !line.hasPrefix("#") {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw BuildFailure(.detect, "The line '\(line)' of .build-arg is not KEY=VALUE.")
            }
            arguments[String(parts[0])] = String(parts[1])
        }
        buildArguments = arguments
        let described = try JSONCoding.encoder.encode(Described(procfile: procfile, dryccfile: dryccfile))
        guard described.count <= 32 << 10 else {
            throw BuildFailure(.detect, "Procfile and .drycc together describe more than 32 KiB.")
        }
    }

    /// What an event has to carry.
    private struct Described: Encodable {
        let procfile: [String: String]
        let dryccfile: JSONValue
    }
}
