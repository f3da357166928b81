import FoundationEssentials

/// Says in one sentence why buildah refused a Dockerfile: line, instruction, reason.
struct BuildDiagnosis: Sendable {
    let dockerfile: Dockerfile
    /// The file's name below the source, such as `Dockerfile`.
    let fileName: String
    /// The memory a step may use, as configured.
    let memory: String
    /// The failed step was ended by SIGKILL.
    let wasKilled: Bool

    func failure(error: String?, exit: String) -> BuildFailure {
        guard let error else {
            return BuildFailure(.build, "The build ended with \(exit).", hint: "The lines above tell why.")
        }
        if error.hasPrefix("no contents in") {
            return BuildFailure(
                .build, "\(fileName) is empty.", hint: "Begin it with a line such as FROM debian:12-slim.")
        }
        guard let step = Self.quotedStep(error) else { return stepless(error) }
        // An unknown keyword is quoted without its arguments; the rest of the message has the original.
        let instruction = dockerfile.instruction(matching: step.text)
        let place = instruction.map { "\(fileName) line \($0.line): \($0.text)" } ?? "\(fileName): \(step.text)"
        let short = place.count > 200 ? String(place.prefix(200)) + "…" : place
        return reason(short, step.rest, instruction)
    }

    private func reason(_ place: String, _ cause: String, _ instruction: Dockerfile.Instruction?) -> BuildFailure {
        if let range = cause.firstRange(of: "exit status ") {
            let status = cause[range.upperBound...].prefix(while: \.isNumber)
            if wasKilled || status == "137" {
                return BuildFailure(
                    .build, "\(place) was killed: a build step may use \(memory) of memory, and it needed more.",
                    hint: "Let the step do less at once, or ask the operator for a higher limit.")
            }
            return BuildFailure(
                .build, "\(place) ended with status \(status).", hint: "The lines above are what the command printed.")
        }
        if cause.contains("Unknown instruction") {
            return BuildFailure(
                .build, "\(place) is not an instruction Dockerfiles have.",
                hint: "Check the spelling of \(instruction?.keyword ?? "the first word").")
        }
        if cause.contains("no such file or directory") {
            return BuildFailure(
                .build, "\(place) names a file that is not in the pushed source.",
                hint: "Commit the file, or correct its path; .dockerignore may leave it out.")
        }
        return BuildFailure(.build, "\(place): \(cause)")
    }

    /// Errors before the first step: the base image, or the file as a whole.
    private func stepless(_ error: String) -> BuildFailure {
        let from = dockerfile.instructions.first { $0.keyword == "FROM" }
        let base = from?.text.split(whereSeparator: \.isWhitespace).dropFirst().first { !$0.hasPrefix("--") } ?? ""
        if error.contains("initializing source") || error.contains("reading manifest") || error.contains("pinging") {
            return BuildFailure(
                .build, "\(fileName) line \(from?.line ?? 1): the base image \(base) cannot be pulled.",
                hint: "Check the image's name, and that this machine reaches its registry: \(Self.lastClause(error))")
        }
        return BuildFailure(.build, "\(fileName): \(error)")
    }

    /// Takes `building at STEP "…": rest` apart.
    private static func quotedStep(_ error: String) -> (text: String, rest: String)? {
        guard let start = error.firstRange(of: "building at STEP \""),
            let end = error[start.upperBound...].firstRange(of: "\": ")
        else { return nil }
        return (String(error[start.upperBound..<end.lowerBound]), String(error[end.upperBound...]))
    }

    private static func lastClause(_ error: String) -> String {
        error.components(separatedBy: ": ").suffix(2).joined(separator: ": ")
    }
}
