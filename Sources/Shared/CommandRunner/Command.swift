/// One run of a program: arguments are an array and the environment is complete, never inherited.
package struct Command: Sendable {
    /// A path, or a name looked up in the `PATH` of ``environment``.
    package var executable: String
    package var arguments: [String]
    package var environment: [String: String]
    package var workingDirectory: String?
    package var standardInput: [UInt8]
    /// Bytes kept of each output stream by ``CommandRunner/run(_:)``; more ends the program.
    package var outputLimit: Int
    /// Time from start to exit; then the program's whole process group is stopped.
    package var deadline: Duration
    /// How long the process group may take between SIGTERM and SIGKILL.
    package var grace: Duration
    /// Runs the program as this user and group instead of ours.
    package var identity: Identity?

    package struct Identity: Sendable, Hashable {
        package let user: UInt32
        package let group: UInt32

        package init(user: UInt32, group: UInt32) {
            self.user = user
            self.group = group
        }
    }

    package static let minimalPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    package init(
        _ executable: String,
        _ arguments: [String] = [],
        environment: [String: String] = [:],
        workingDirectory: String? = nil,
        standardInput: [UInt8] = [],
        outputLimit: Int = 4 << 20,
        deadline: Duration = .seconds(60),
        grace: Duration = .seconds(5)
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = ["PATH": Self.minimalPath, "LC_ALL": "C.UTF-8"].merging(environment) { _, given in given }
        self.workingDirectory = workingDirectory
        self.standardInput = standardInput
        self.outputLimit = outputLimit
        self.deadline = deadline
        self.grace = grace
    }
}

/// How a program ended.
package enum CommandExit: Sendable, Hashable, CustomStringConvertible {
    case code(Int32)
    case signal(Int32)

    package var isSuccess: Bool { self == .code(0) }

    package var description: String {
        switch self {
        case .code(let code): "exit status \(code)"
        case .signal(let signal): "signal \(signal)"
        }
    }
}

/// What a finished program left. A non-zero exit is a result, not an error.
package struct CommandResult: Sendable {
    package let exit: CommandExit
    package let standardOutput: [UInt8]
    package let standardError: [UInt8]

    /// Standard output as text without the final line break; invalid UTF-8 is replaced.
    package var text: String { Self.text(standardOutput) }
    package var errorText: String { Self.text(standardError) }

    private static func text(_ bytes: [UInt8]) -> String {
        var text = String(decoding: bytes, as: UTF8.self)[...]
        while text.last?.isNewline == true { text = text.dropLast() }
        return String(text)
    }
}

/// One line of a running program.
package struct CommandLine: Sendable, Hashable {
    package enum Source: Sendable, Hashable {
        case output, error
    }

    package let source: Source
    package let text: String
}
