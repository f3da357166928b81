import PlatformModel
import Yams

/// Which command each process type runs: `type: command line`, one a line.
struct Procfile: Sendable {
    let commands: [String: String]

    /// Reads the classic line form, and YAML for files that need it.
    ///
    /// - Throws: ``BuildFailure`` naming the line.
    init(_ text: String) throws(BuildFailure) {
        var commands: [String: String] = [:]
        var isLineForm = true
        for line in text.split(whereSeparator: \.isNewline) {
            let trimmed = line.drop(while: \.isWhitespace)
            if trimmed.isEmpty || trimmed.hasPrefix("#") || trimmed == "---" { continue }
            guard !line.hasPrefix(" "), let entry = Self.entry(trimmed) else {
                isLineForm = false
                break
            }
            commands[entry.name] = entry.command
        }
        if !isLineForm { commands = try Self.yaml(text) }
        for (name, command) in commands.sorted(by: { $0.key < $1.key }) { try Self.check(name, command) }
        self.commands = commands
    }

    private static func entry(_ line: Substring) -> (name: String, command: String)? {
        guard let colon = line.firstIndex(of: ":") else { return nil }
        let name = line[..<colon]
        guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }) else {
            return nil
        }
        var command = line[line.index(after: colon)...].drop(while: \.isWhitespace)
        while command.last?.isWhitespace == true { command = command.dropLast() }
        // A quoted value is YAML: its quotes are not part of the command.
        guard let first = command.first, first != "\"", first != "'", first != "|", first != ">" else { return nil }
        return (String(name), String(command))
    }

    private static func yaml(_ text: String) throws(BuildFailure) -> [String: String] {
        do {
            return try YAMLDecoder().decode([String: String].self, from: text)
        } catch {
            throw BuildFailure(
                .detect, "The Procfile is not a list of `type: command` lines.",
                hint: "Write one line for each process type, such as: web: ./server")
        }
    }

    private static func check(_ name: String, _ command: String) throws(BuildFailure) {
        do throws(InvalidValue) {
            _ = try ProcessType(name)
        } catch {
            throw BuildFailure(.detect, "The Procfile names the process type \(name): \(error.message)")
        }
        if command.isEmpty {
            throw BuildFailure(.detect, "The Procfile gives no command for the process type \(name).")
        }
    }
}
