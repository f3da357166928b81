/// A program could not be run to its end, or ended badly where that is an error.
package struct CommandError: Error, CustomStringConvertible {
    package struct Code: Hashable, Sendable {
        private enum Value: Hashable, Sendable {
            case notFound, notStarted, deadline, tooMuchOutput, failed
        }

        private let value: Value

        /// There is no such program.
        package static let notFound = Self(value: .notFound)
        /// The system refused to start it.
        package static let notStarted = Self(value: .notStarted)
        /// It ran longer than its deadline and was stopped.
        package static let deadline = Self(value: .deadline)
        /// It wrote more than its limit and was stopped.
        package static let tooMuchOutput = Self(value: .tooMuchOutput)
        /// It ended with another status than zero.
        package static let failed = Self(value: .failed)
    }

    package let code: Code
    /// The program's name without arguments, which may hold secrets.
    package let program: String
    package let detail: String

    package var description: String { "\(program): \(detail)" }
}
