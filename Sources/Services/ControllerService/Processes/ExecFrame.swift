import FoundationEssentials
import PlatformModel
import ServiceHTTP

/// The frames of an exec session: a byte that names the channel, then its data.
enum ExecFrame {
    enum Channel: UInt8 {
        case input = 0, output, errors, status, resize

        init?(_ frame: [UInt8]) {
            guard let first = frame.first else { return nil }
            self.init(rawValue: first)
        }
    }

    static func standardOutput(_ bytes: [UInt8]) -> [UInt8] { [Channel.output.rawValue] + bytes }

    static func standardError(_ bytes: [UInt8]) -> [UInt8] { [Channel.errors.rawValue] + bytes }

    static func output(_ output: PodOutput) -> [UInt8] {
        switch output {
        case .standardOutput(let bytes): standardOutput(bytes)
        case .standardError(let bytes): standardError(bytes)
        }
    }

    /// How the command ended, as a Kubernetes `Status`; the command line prints its message if it has one.
    static func status(_ exitCode: Int?) throws -> [UInt8] {
        guard let exitCode else { return try failure("The command did not end with its connection.") }
        guard exitCode != 0 else { return try status(["metadata": [:], "status": "Success"]) }
        return try status([
            "metadata": [:], "status": "Failure", "reason": "NonZeroExitCode",
            "message": .string("command terminated with non-zero exit code: exit status \(exitCode)"),
            "details": ["causes": [["reason": "ExitCode", "message": .string("\(exitCode)")]]],
        ])
    }

    static func failure(_ message: String) throws -> [UInt8] {
        try status(["metadata": [:], "status": "Failure", "message": .string(message)])
    }

    private static func status(_ value: JSONValue) throws -> [UInt8] {
        [Channel.status.rawValue] + Array(try JSONCoding.encoder.encode(value))
    }

    /// `{"Height": 50, "Width": 120}`; nil for anything that is no size of a terminal.
    static func size(_ bytes: some Sequence<UInt8>) -> (rows: Int, columns: Int)? {
        let value: JSONValue
        do {
            value = try JSONCoding.decoder.decode(JSONValue.self, from: Data(bytes))
        } catch {
            // A terminal keeps its size when a client sends none that can be read.
            return nil
        }
        guard let rows = value["Height"]?.integerValue, let columns = value["Width"]?.integerValue,
            (1...9999).contains(rows), (1...9999).contains(columns)
        else { return nil }
        return (rows, columns)
    }
}
