/// Reads what `buildah build` prints and keeps what the push output and an error need.
///
/// A pure state machine over lines: no process, no clock.
struct BuildahOutput: Sendable {
    private(set) var steps = 0
    private(set) var cachedSteps = 0
    /// The image the build ended with.
    private(set) var imageID: String?
    /// The image the last cached step gave.
    private(set) var cachedImage: String?
    /// The text of `Error: …`, without the word.
    private(set) var errorText: String?
    /// A build step was ended by SIGKILL, which on this machine its memory limit sends.
    private(set) var wasKilled = false

    /// Takes a line of standard output.
    ///
    /// - Returns: the line if it is worth showing to the pusher.
    mutating func addOutput(_ line: String) -> String? {
        if Self.isImageID(line) {
            imageID = line
            return nil
        }
        if line.hasPrefix("--> Using cache ") {
            cachedSteps += 1
            let image = String(line.dropFirst("--> Using cache ".count))
            if Self.isImageID(image) { cachedImage = image }
            return nil
        }
        if line.hasPrefix("--> ") || line.hasPrefix("COMMIT") { return nil }
        if Self.isStep(line) { steps += 1 }
        return line
    }

    /// Takes a line of standard error; buildah writes its own messages and those of build steps there.
    mutating func addError(_ line: String) -> String? {
        if line.hasPrefix("Error: ") {
            errorText = String(line.dropFirst("Error: ".count))
            return nil
        }
        if line == "container exited on killed" {
            wasKilled = true
            return nil
        }
        // The engine's own log lines are for the operator; settings an app has and its Dockerfile does not use are no
        // news.
        return line.hasPrefix("time=\"") || line.hasPrefix("[Warning] one or more build args were not consumed")
            ? nil : line
    }

    /// `6/7 layers cached, 1 built`
    var summary: String {
        // FROM is a step without a layer.
        let layers = max(0, steps - 1)
        return "\(min(cachedSteps, layers))/\(layers) layers cached, \(max(0, layers - cachedSteps)) built"
    }

    private static func isImageID(_ line: String) -> Bool {
        line.utf8.count == 64 && line.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// `STEP 2/6: …` or, in a build of several stages, `[1/2] STEP 2/6: …`
    private static func isStep(_ line: String) -> Bool {
        if line.hasPrefix("STEP ") { return true }
        guard line.hasPrefix("["), let end = line.firstRange(of: "] STEP ") else { return false }
        return line[line.index(after: line.startIndex)..<end.lowerBound].allSatisfy { $0.isNumber || $0 == "/" }
    }
}
