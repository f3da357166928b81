import HTTPTypes
import Hummingbird
import NIOCore
import OCIRegistry

extension RegistryAPI {
    func manifest(
        _ request: Request, _ name: RepositoryName, _ reference: ManifestReference
    ) async throws -> Response {
        switch request.method {
        case .put: try await putManifest(request, name, reference)
        case .delete: try await deleteManifest(name, reference)
        default: try await getManifest(request, name, reference)
        }
    }

    // MARK: Reading

    private func getManifest(
        _ request: Request, _ name: RepositoryName, _ reference: ManifestReference
    ) async throws -> Response {
        guard let manifest = try await storage.manifest(reference, in: name) else { throw Self.unknown(reference) }
        let type = manifest.record.mediaType
        if case .tag = reference, !AcceptedTypes(request.headers[values: .accept]).allow(type) {
            throw RegistryError(
                .manifestUnknown, "The tag points to a \(type), which the request does not accept.",
                detail: ["digest": "\(manifest.digest)"])
        }
        var fields: HTTPFields = [
            .contentType: "\(type)", .dockerContentDigest: "\(manifest.digest)", .eTag: "\"\(manifest.digest)\"",
        ]
        if let subject = manifest.record.subject { fields[.ociSubject] = "\(subject)" }
        if request.headers[.ifNoneMatch]?.contains("\"\(manifest.digest)\"") == true {
            return .empty(.notModified, fields)
        }
        if request.method == .head {
            // A client that finds a manifest by its digest does not push it.
            if case .digest = reference, try await !storage.keepManifest(manifest.digest, in: name) {
                throw Self.unknown(reference)
            }
            return .head(.ok, fields, length: manifest.bytes.count)
        }
        return Response(
            status: .ok, headers: fields, body: .init(byteBuffer: ByteBuffer(bytes: manifest.bytes)))
    }

    // MARK: Pushing

    private func putManifest(
        _ request: Request, _ name: RepositoryName, _ reference: ManifestReference
    ) async throws -> Response {
        let bytes = try await manifestBytes(request)
        let (digest, tags) = try target(of: reference, bytes, extraTags: request.queryValues("tag"))
        let manifest: Manifest
        do {
            let type = request.headers[.contentType].map { OCIRegistry.MediaType($0) }
            manifest = try Manifest(bytes, contentType: type)
        } catch {
            throw RegistryError(.manifestInvalid, error.reason)
        }
        let push = ManifestPush(manifest: manifest, bytes: bytes, digest: digest, tags: tags)
        try await budget.admit(bytes.count, to: name) {
            try await storage.store(push, in: name, requiringBlobs: !limits.allowsMissingBlobs)
        }
        var fields: HTTPFields = [
            .location: "/v2/\(name)/manifests/\(digest)", .dockerContentDigest: "\(digest)", .contentLength: "0",
        ]
        if let subject = manifest.subject { fields[.ociSubject] = "\(subject.digest)" }
        if case .digest = reference {
            for tag in tags { fields.append(HTTPField(name: .ociTag, value: "\(tag)")) }
        }
        return .empty(.created, fields)
    }

    private func manifestBytes(_ request: Request) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await buffer in request.body {
            guard bytes.count + buffer.readableBytes <= limits.manifestSize else {
                throw RegistryError(
                    .manifestTooLarge, "A manifest has at most \(limits.manifestSize) bytes in this registry.")
            }
            bytes += buffer.readableBytesView
        }
        return bytes
    }

    /// The digest to store the manifest under, and the tags to point to it.
    private func target(
        of reference: ManifestReference, _ bytes: [UInt8], extraTags: [String]
    ) throws -> (ImageDigest, [ImageTag]) {
        switch reference {
        case .tag(let tag):
            return (ImageDigest(of: bytes), [tag])
        case .digest(let digest):
            guard ImageDigest(of: bytes, algorithm: digest.algorithm) == digest else {
                throw RegistryError(
                    .digestInvalid, "The manifest does not have the digest given.", detail: ["digest": "\(digest)"])
            }
            guard extraTags.count <= limits.tagsPerPush else {
                throw RegistryError(.tagInvalid, "A manifest gets at most \(limits.tagsPerPush) tags at once.")
            }
            return (digest, try extraTags.map(Self.tag))
        case .impossible(let text):
            return (ImageDigest(of: bytes), [try Self.tag(text)])
        }
    }

    private static func tag(_ text: String) throws -> ImageTag {
        do {
            return try ImageTag(text)
        } catch {
            throw RegistryError(.tagInvalid, error.reason)
        }
    }

    // MARK: Deleting

    private func deleteManifest(_ name: RepositoryName, _ reference: ManifestReference) async throws -> Response {
        let existed =
            switch reference {
            case .tag(let tag): try await storage.removeTag(tag, from: name)
            case .digest(let digest): try await storage.removeManifest(digest, from: name)
            case .impossible: false
            }
        guard existed else { throw Self.unknown(reference) }
        return .empty(.accepted, [.contentLength: "0"])
    }

    static func unknown(_ reference: ManifestReference) -> RegistryError {
        let text =
            switch reference {
            case .tag(let tag): "\(tag)"
            case .digest(let digest): "\(digest)"
            case .impossible(let text): text
            }
        return RegistryError(
            .manifestUnknown, "The repository has no such manifest.", detail: ["reference": text])
    }
}

/// The media types an `Accept` field names.
struct AcceptedTypes: Hashable, Sendable {
    private let types: Set<OCIRegistry.MediaType>

    init(_ fields: [String]) {
        types = Set(fields.flatMap { $0.split(separator: ",") }.map { OCIRegistry.MediaType(String($0)) })
    }

    /// Whether a document of this type may be sent; always, when the field is absent or names no manifest type.
    func allow(_ type: OCIRegistry.MediaType) -> Bool {
        guard types.contains(where: { $0.isIndex || $0.isImageManifest }) else { return true }
        return !types.isDisjoint(with: [type, OCIRegistry.MediaType("*/*"), OCIRegistry.MediaType("application/*")])
    }
}
