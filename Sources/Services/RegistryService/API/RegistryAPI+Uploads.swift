import HTTPTypes
import Hummingbird
import NIOCore
import OCIRegistry
import ObjectStorage

extension RegistryAPI {
    // MARK: Beginning

    /// `POST …/blobs/uploads/`: mounts a blob, takes it whole, or begins an upload.
    func beginUpload(_ request: Request, _ name: RepositoryName, _ grant: AccessGrant) async throws -> Response {
        if let text = request.queryValue("mount") {
            let digest = try Self.digest(text)
            if try await mount(digest, request.queryValue("from"), to: name, grant) {
                return Self.created(digest, in: name)
            }
        } else if let text = request.queryValue("digest") {
            return try await uploadAtOnce(request, name, try Self.digest(text))
        }
        let algorithm = try Self.algorithm(request.queryValue("digest-algorithm"))
        let upload = try await storage.beginUpload(UploadRecord(repository: name, algorithm: algorithm))
        try await upload.giveBack(isWhole: true)
        return .empty(.accepted, Self.progress(upload, name) + [.contentLength: "0"])
    }

    private func mount(
        _ digest: ImageDigest, _ source: String?, to name: RepositoryName, _ grant: AccessGrant
    ) async throws -> Bool {
        let isReadable: @Sendable (RepositoryName) -> Bool = { grant.covers(.repository($0, .pull)) }
        if let source {
            // A source that is no name has no blobs; the specification lets a failed mount go on as an upload.
            guard let source = try? RepositoryName(source), isReadable(source) else { return false }
            return try await storage.mount(digest, from: source, to: name)
        }
        guard let source = try await storage.holder(of: digest, where: isReadable) else { return false }
        return try await storage.mount(digest, from: source, to: name)
    }

    private func uploadAtOnce(
        _ request: Request, _ name: RepositoryName, _ digest: ImageDigest
    ) async throws -> Response {
        let record = UploadRecord(repository: name, algorithm: digest.algorithm)
        let upload = try await storage.beginUpload(record)
        do {
            try await receive(request, into: upload, name)
            try await commit(upload, as: digest, in: name)
        } catch {
            // The failure that brought us here is the one to report; what stays expires.
            try? await upload.cancel()
            throw Self.translated(error)
        }
        metrics.countCommit()
        return Self.created(digest, in: name)
    }

    // MARK: Continuing

    /// The status, a chunk, the end, or the cancellation of an upload.
    func upload(_ request: Request, _ name: RepositoryName, _ id: UploadID) async throws -> Response {
        let upload = try await storage.takeUpload(id, in: name)
        switch request.method {
        case .get:
            try await upload.giveBack(isWhole: true)
            return .empty(.noContent, Self.progress(upload, name))
        case .delete:
            try await upload.cancel()
            return .empty(.noContent)
        case .patch:
            return try await append(request, upload, name)
        default:
            return try await finish(request, upload, name)
        }
    }

    private func append(
        _ request: Request, _ upload: any OpenUpload, _ name: RepositoryName
    ) async throws -> Response {
        do {
            try await receiveChunk(request, into: upload, name)
        } catch {
            await returnAfterFailure(upload, error)
            throw Self.translated(error)
        }
        try await upload.giveBack(isWhole: true)
        return .empty(.accepted, Self.progress(upload, name) + [.contentLength: "0"])
    }

    private func finish(
        _ request: Request, _ upload: any OpenUpload, _ name: RepositoryName
    ) async throws -> Response {
        let received: Int
        let digest: ImageDigest
        do {
            guard let text = request.queryValue("digest") else {
                throw RegistryError(.digestInvalid, "The end of an upload needs the digest of the content.")
            }
            digest = try Self.digest(text)
            received = try await receiveChunk(request, into: upload, name)
        } catch {
            await returnAfterFailure(upload, error)
            throw Self.translated(error)
        }
        do {
            try await commit(upload, as: digest, in: name)
        } catch let error as RegistryError where error.code == .digestInvalid && received > 0 {
            // The wrong bytes may be the ones just sent and cannot be taken back: the upload is lost.
            try await upload.cancel()
            throw error
        } catch {
            await returnAfterFailure(upload, error)
            throw error
        }
        metrics.countCommit()
        return Self.created(digest, in: name)
    }

    // MARK: Receiving

    /// Takes a chunk, which has to begin where the upload stands when it says where it begins.
    @discardableResult
    private func receiveChunk(
        _ request: Request, into upload: any OpenUpload, _ name: RepositoryName
    ) async throws -> Int {
        let announced = try ChunkRange(request.headers[.contentRange])
        if let announced {
            guard announced.first == upload.size else {
                throw RegistryError(
                    .rangeInvalid, "The chunk must begin at byte \(upload.size).",
                    headers: Self.progress(upload, name))
            }
            if let length = request.headers[.contentLength].flatMap({ Int($0) }), length != announced.count {
                throw RegistryError(.sizeInvalid, "Content-Range and Content-Length contradict each other.")
            }
        }
        let received = try await receive(request, into: upload, name)
        if let announced, announced.count != received {
            throw RegistryError(.sizeInvalid, "The chunk has another length than its Content-Range.")
        }
        return received
    }

    @discardableResult
    private func receive(
        _ request: Request, into upload: any OpenUpload, _ name: RepositoryName
    ) async throws -> Int {
        var room = limits.blobSize - upload.size
        var refusal = RegistryError(.uploadTooLarge, "The upload is longer than this registry accepts.")
        let length = request.headers[.contentLength].flatMap { Int($0) }
        if let length, length > room { throw refusal }
        if budget.limits(name) {
            try await budget.check(upload.size + (length ?? 0), in: name)
            if let left = try await budget.room(in: name), left - upload.size < room {
                room = max(0, left - upload.size)
                refusal = RegistryError.overBudget(left, upload.size)
            }
        }
        let before = upload.size
        defer { metrics.countReceived(upload.size - before) }
        return try await UploadReceiver(upload: upload, limit: room, refusal: refusal).receive(request.body)
    }

    /// Makes an upload a blob if the budget allows; content the repository shows already takes nothing of it.
    private func commit(_ upload: any OpenUpload, as digest: ImageDigest, in name: RepositoryName) async throws {
        guard budget.limits(name), try await storage.blobSize(digest, in: name) == nil else {
            return try await upload.commit(as: digest)
        }
        try await budget.admit(upload.size, to: name) { try await upload.commit(as: digest) }
    }

    private func returnAfterFailure(_ upload: any OpenUpload, _ error: any Error) async {
        // The failure that brought us here is the one to report; the next request sees what was kept.
        try? await upload.giveBack(isWhole: !(error is UploadDamaged))
    }

    /// The cause of a failed append, as the client understands it.
    private static func translated(_ error: any Error) -> any Error {
        guard let damaged = error as? UploadDamaged else { return error }
        return (damaged.cause as? FileFailure).flatMap { RegistryError($0) } ?? damaged.cause
    }

    // MARK: Reading and answering

    private static func digest(_ text: String) throws -> ImageDigest {
        do {
            return try ImageDigest(text)
        } catch {
            throw RegistryError(.digestInvalid, error.reason, detail: ["digest": text])
        }
    }

    private static func algorithm(_ text: String?) throws -> ImageDigest.Algorithm {
        guard let text else { return .sha256 }
        guard let algorithm = ImageDigest.Algorithm(rawValue: text) else {
            throw RegistryError(.digestInvalid, "The digest algorithm must be sha256 or sha512.")
        }
        return algorithm
    }

    private static func progress(_ upload: any OpenUpload, _ name: RepositoryName) -> HTTPFields {
        [
            .location: "/v2/\(name)/blobs/uploads/\(upload.id)",
            .range: "0-\(max(0, upload.size - 1))",
            .dockerUploadID: "\(upload.id)",
        ]
    }

    private static func created(_ digest: ImageDigest, in name: RepositoryName) -> Response {
        .empty(
            .created,
            [
                .location: "/v2/\(name)/blobs/\(digest)", .dockerContentDigest: "\(digest)", .contentLength: "0",
            ])
    }
}

/// The `Content-Range` of a chunk: `first-last`, without unit and total, as the specification writes it.
struct ChunkRange: Hashable, Sendable {
    let first: Int
    let last: Int

    var count: Int { last - first + 1 }

    /// Reads the field; nil when there is none.
    init?(_ field: String?) throws(RegistryError) {
        guard let field else { return nil }
        let text = field.hasPrefix("bytes ") ? field.dropFirst("bytes ".count) : field[...]
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, ends.allSatisfy({ !$0.isEmpty && $0.allSatisfy { $0.isASCII && $0.isNumber } }),
            let first = Int(ends[0]), let last = Int(ends[1]), first <= last, last < Int.max
        else { throw RegistryError(.rangeInvalid, "Content-Range must have the form first-last.") }
        self.first = first
        self.last = last
    }
}
