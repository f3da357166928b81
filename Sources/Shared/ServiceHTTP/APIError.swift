import FoundationEssentials
package import HTTPTypes
package import Hummingbird
import NIOCore

/// The one error that leaves a service towards its caller.
package struct APIError: Error, HTTPResponseError, Sendable {
    /// A registered kind of error: stable text for programs, and the HTTP status that goes with it.
    package struct Code: Hashable, Sendable, CustomStringConvertible {
        package let text: String
        package let status: HTTPResponse.Status

        package init(_ text: String, status: HTTPResponse.Status) {
            self.text = text
            self.status = status
        }

        package var description: String { text }

        package static func == (left: Self, right: Self) -> Bool { left.text == right.text }

        package func hash(into hasher: inout Hasher) { hasher.combine(text) }
    }

    package let code: Code
    /// What happened and what to do about it, written for the person who reads it.
    package let message: String
    /// What lies beneath; for the log only.
    package let cause: (any Error)?
    /// Header fields the status demands, such as `Retry-After`.
    package let headers: HTTPFields

    package init(_ code: Code, message: String, cause: (any Error)? = nil, headers: HTTPFields = [:]) {
        self.code = code
        self.message = message
        self.cause = cause
        self.headers = headers
    }

    package var status: HTTPResponse.Status { code.status }

    package func response(from request: Request, context: some RequestContext) throws -> Response {
        let body = ErrorBody(error: .init(code: code.text, message: message, request: context.id))
        var fields = headers
        fields[.contentType] = "application/json; charset=utf-8"
        return Response(
            status: code.status, headers: fields,
            body: .init(byteBuffer: ByteBuffer(bytes: try JSONCoding.encoder.encode(body))))
    }
}

extension APIError.Code {
    /// The request itself is malformed.
    package static let badRequest = Self("bad_request", status: .badRequest)
    /// Credentials are missing or not valid.
    package static let unauthorized = Self("unauthorized", status: .unauthorized)
    /// The caller is known and may not do this.
    package static let forbidden = Self("forbidden", status: .forbidden)
    /// There is nothing of that name, or the caller may not see it.
    package static let notFound = Self("not_found", status: .notFound)
    /// The state of the object does not allow this now.
    package static let conflict = Self("conflict", status: .conflict)
    /// The body is larger than this route takes.
    package static let bodyTooLarge = Self("body_too_large", status: .contentTooLarge)
    /// Too many requests; `Retry-After` tells when to come back.
    package static let tooManyRequests = Self("too_many_requests", status: .tooManyRequests)
    /// Something this service depends on does not answer.
    package static let unavailable = Self("unavailable", status: .serviceUnavailable)
    /// Something this service depends on did not answer in time.
    package static let timedOut = Self("timed_out", status: .gatewayTimeout)
    /// A defect of ours; the request id finds it in the log.
    package static let internalError = Self("internal_error", status: .internalServerError)
}

/// `{"error":{"code":"…","message":"…","request":"…"}}`
private struct ErrorBody: Encodable {
    struct Detail: Encodable {
        let code: String
        let message: String
        let request: String
    }

    let error: Detail
}
