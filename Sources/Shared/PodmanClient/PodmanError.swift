import CurlTransfer

/// Why podman did not do what it was asked.
package struct PodmanError: Error, Sendable {
    /// The kind of failure; stable text, fit for a metric label.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        private enum Value: String {
            case unreachable
            case notFound = "not_found"
            case nameInUse = "name_in_use"
            case imageUnknown = "image_unknown"
            case pullFailed = "pull_failed"
            case invalidRequest = "invalid_request"
            case invalidResponse = "invalid_response"
            case wrongState = "wrong_state"
            case timeout, failed
        }

        private let value: Value

        private init(_ value: Value) { self.value = value }

        package var description: String { value.rawValue }

        /// The service does not answer on its socket.
        package static let unreachable = Self(.unreachable)
        /// There is no such container, network, image, secret or exec session.
        package static let notFound = Self(.notFound)
        /// Something of that name exists.
        package static let nameInUse = Self(.nameInUse)
        /// The image is not in local storage.
        package static let imageUnknown = Self(.imageUnknown)
        /// The registry did not give the image.
        package static let pullFailed = Self(.pullFailed)
        /// podman refused the request as malformed.
        package static let invalidRequest = Self(.invalidRequest)
        /// The answer is not what the API promises.
        package static let invalidResponse = Self(.invalidResponse)
        /// The object is in a state that does not allow the call, such as a removal of a running container.
        package static let wrongState = Self(.wrongState)
        /// No answer in the time the call was given.
        package static let timeout = Self(.timeout)
        /// Anything else; the message tells.
        package static let failed = Self(.failed)
    }

    package let code: Code
    /// podman's own sentence; for logs, may hold paths of this machine.
    package let message: String
    /// The root cause as podman names it, empty if there is none.
    package let cause: String
    /// The HTTP status; nil when there was no answer.
    package let status: Int?

    package init(_ code: Code, message: String, cause: String = "", status: Int? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
        self.status = status
    }

    init(_ error: TransferError) {
        let code: Code =
            switch error.code {
            case .refused, .interrupted: .unreachable
            case .timeout: .timeout
            case .invalidResponse, .tooLarge: .invalidResponse
            default: .failed
            }
        self.init(code, message: "\(error)")
    }

    /// The API answers several conditions with status 500; `cause` is then podman's fixed error value and the only
    /// thing that tells them apart.
    init(status: Int, body: PodmanErrorBody) {
        let code: Code =
            switch (status, body.cause) {
            case (_, "that name is already in use"), (_, "secret name in use"), (_, "network already exists"):
                .nameInUse
            case (_, "image not known"): .imageUnknown
            case (_, "container state improper"), (_, "can only stop created or running containers"): .wrongState
            case (404, _), (_, "no such container"), (_, "no such secret"), (_, "network not found"),
                (_, "no such exec session"):
                .notFound
            case (400, _): .invalidRequest
            case (409, _): .wrongState
            default: .failed
            }
        self.init(code, message: body.message, cause: body.cause, status: status)
    }
}

extension PodmanError: CustomStringConvertible {
    package var description: String { "\(code): \(message)" }
}

/// The body of podman's error answers.
struct PodmanErrorBody: Decodable {
    var cause: String
    var message: String
}
