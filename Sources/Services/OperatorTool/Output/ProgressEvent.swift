import FoundationEssentials
import ServiceHTTP

/// What a start tells as it goes on; one JSON object a line between the supervisor and the command that started it.
enum ProgressEvent: Codable, Equatable, Sendable {
    case note(String)
    case done(step: String, milliseconds: Int, detail: String)
    /// The first administrator, told exactly once.
    case administrator(name: String, password: String)
    case failed(step: String, lines: [String])
    case ready(milliseconds: Int)

    /// The event as the line a person reads.
    var text: String {
        switch self {
        case .note(let text): text
        case .done(let step, let milliseconds, let detail):
            "  \(step.padded(to: 16)) ok   \(Self.seconds(milliseconds).padded(to: 8))\(detail)"
        case .administrator(let name, let password):
            """

            First administrator: \(name)
            Password:            \(password)
            It is shown this once. To set another: workflow password \(name)
            """
        case .failed(let step, let lines):
            (["  \(step.padded(to: 16)) FAILED"] + lines.map { "    \($0)" }).joined(separator: "\n")
        case .ready(let milliseconds): "Workflow is up after \(Self.seconds(milliseconds))."
        }
    }

    var line: String {
        get throws { String(decoding: try JSONCoding.encoder.encode(self), as: UTF8.self) }
    }

    init(line: String) throws { self = try JSONCoding.decoder.decode(Self.self, from: Data(line.utf8)) }

    static func seconds(_ milliseconds: Int) -> String {
        let hundredths = (milliseconds + 5) / 10
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)s"
    }
}

extension String {
    /// The text followed by spaces up to a width.
    func padded(to width: Int) -> String {
        count >= width ? self : self + String(repeating: " ", count: width - count)
    }
}
