import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import OCIRegistry
import ObjectStorage

/// An error in the form the OCI Distribution specification fixes: registered code, message, detail.
struct RegistryError: Error, HTTPResponseError, Sendable {
    /// A registered code and the status that goes with it.
    struct Code: Hashable, Sendable {
        let text: String
        let status: HTTPResponse.Status

        static let blobUnknown = Self(text: "BLOB_UNKNOWN", status: .notFound)
        static let uploadInvalid = Self(text: "BLOB_UPLOAD_INVALID", status: .badRequest)
        static let uploadUnknown = Self(text: "BLOB_UPLOAD_UNKNOWN", status: .notFound)
        static let digestInvalid = Self(text: "DIGEST_INVALID", status: .badRequest)
        static let manifestBlobUnknown = Self(text: "MANIFEST_BLOB_UNKNOWN", status: .badRequest)
        static let manifestInvalid = Self(text: "MANIFEST_INVALID", status: .badRequest)
        static let manifestUnknown = Self(text: "MANIFEST_UNKNOWN", status: .notFound)
        static let manifestTooLarge = Self(text: "MANIFEST_INVALID", status: .contentTooLarge)
        static let nameInvalid = Self(text: "NAME_INVALID", status: .badRequest)
        static let nameUnknown = Self(text: "NAME_UNKNOWN", status: .notFound)
        static let sizeInvalid = Self(text: "SIZE_INVALID", status: .badRequest)
        static let uploadTooLarge = Self(text: "SIZE_INVALID", status: .contentTooLarge)
        static let tagInvalid = Self(text: "TAG_INVALID", status: .badRequest)
        static let paginationInvalid = Self(text: "PAGINATION_NUMBER_INVALID", status: .badRequest)
        static let rangeInvalid = Self(text: "RANGE_INVALID", status: .rangeNotSatisfiable)
        static let unauthorized = Self(text: "UNAUTHORIZED", status: .unauthorized)
        static let denied = Self(text: "DENIED", status: .forbidden)
        static let unsupported = Self(text: "UNSUPPORTED", status: .methodNotAllowed)
        static let pathUnknown = Self(text: "UNSUPPORTED", status: .notFound)
        static let tooManyRequests = Self(text: "TOOMANYREQUESTS", status: .tooManyRequests)
        static let storageFull = Self(
            text: "UNAVAILABLE", status: .init(code: 507, reasonPhrase: "Insufficient Storage"))
        static let unavailable = Self(text: "UNAVAILABLE", status: .serviceUnavailable)
        static let unknown = Self(text: "UNKNOWN", status: .internalServerError)
    }

    let code: Code
    /// What happened, for the person who reads the client's output.
    let message: String
    /// Names and values the message is about, such as `digest`.
    let detail: [String: String]
    /// Header fields the answer carries besides its type.
    let headers: HTTPFields

    init(_ code: Code, _ message: String, detail: [String: String] = [:], headers: HTTPFields = [:]) {
        self.code = code
        self.message = message
        self.detail = detail
        self.headers = headers
    }

    var status: HTTPResponse.Status { code.status }

    func response(from request: Request, context: some RequestContext) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let body = try encoder.encode(Body(errors: [.init(code: code.text, message: message, detail: detail)]))
        var fields = headers
        fields[.contentType] = "application/json; charset=utf-8"
        // A body behind the answer to a HEAD would be read as the answer to the connection's next request.
        guard request.method != .head else { return .head(status, fields, length: body.count) }
        return Response(status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }

    private struct Body: Encodable {
        struct Entry: Encodable {
            let code: String
            let message: String
            let detail: [String: String]
        }

        let errors: [Entry]
    }
}

extension RegistryError {
    /// The client's answer to a failed object store, when it can do something about it.
    init?(_ error: ObjectStorageError) {
        switch error.code {
        case .storageFull:
            self.init(.storageFull, "The registry has no space left; free some or push again later.")
        case .unavailable:
            self.init(
                .unavailable, "The registry's storage does not answer; try again.", headers: [.retryAfter: "5"])
        default: return nil
        }
    }

    static func missingBlob(_ digest: ImageDigest) -> RegistryError {
        RegistryError(
            .manifestBlobUnknown, "The manifest refers to a blob that is not in the repository; push it first.",
            detail: ["digest": "\(digest)"])
    }

    static func wrongSize(_ digest: ImageDigest, size: Int) -> RegistryError {
        RegistryError(
            .manifestInvalid, "The manifest gives a blob another size than it has.",
            detail: ["digest": "\(digest)", "size": "\(size)"])
    }

    static func wrongContent(_ digest: ImageDigest) -> RegistryError {
        RegistryError(
            .digestInvalid, "The uploaded content does not have the digest given.", detail: ["digest": "\(digest)"])
    }

    static func held(_ digest: ImageDigest, by holder: HoldName) -> RegistryError {
        RegistryError(
            .denied, "\(holder) needs this content, so it cannot be deleted before the hold ends.",
            detail: ["digest": "\(digest)", "holder": "\(holder)"])
    }

    static let uploadInUse = RegistryError(
        .rangeInvalid, "Another request is using this upload; ask for its status and continue from there.")

    static func unknownUpload(_ id: UploadID) -> RegistryError {
        RegistryError(.uploadUnknown, "There is no such upload; begin a new one.", detail: ["upload": "\(id)"])
    }
}

extension RegistryError {
    /// The client's answer to a failed file operation, when it can do something about it.
    init?(_ failure: FileFailure) {
        guard failure.condition == .full else { return nil }
        self.init(.storageFull, "The registry has no space left; free some or push again later.")
    }
}
