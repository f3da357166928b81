/// Why the server could not start or a connection could not be served.
package struct SSHServerError: Error, CustomStringConvertible {
    package struct Code: Hashable, Sendable {
        private enum Value { case hostKey, listen, child, session }
        private let value: Value

        /// A host key could neither be read nor made.
        package static let hostKey = Code(value: .hostKey)
        /// The address cannot be listened on.
        package static let listen = Code(value: .listen)
        /// A child process could not be started.
        package static let child = Code(value: .child)
        /// The SSH library could not set a connection up.
        package static let session = Code(value: .session)
    }

    package let code: Code
    /// What went wrong, for the operator.
    package let detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { detail }
}
