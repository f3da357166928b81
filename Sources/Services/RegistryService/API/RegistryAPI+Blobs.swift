import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import OCIRegistry
import ServiceHTTP

extension RegistryAPI {
    func blob(
        _ request: Request, _ name: RepositoryName, _ digest: ImageDigest, _ context: RegistryContext
    ) async throws -> Response {
        if request.method == .delete {
            guard try await storage.removeBlob(digest, from: name) else { throw Self.unknown(digest) }
            return .empty(.accepted, [.contentLength: "0"])
        }
        if request.headers[.ifNoneMatch]?.contains("\"\(digest)\"") == true,
            try await storage.blobSize(digest, in: name) != nil
        {
            return .empty(.notModified, Self.fields(of: digest))
        }
        let use: BlobUse = request.method == .head ? .finding : .reading
        do {
            return try await serve(try await visibleBlob(digest, in: name, use, context), request, context)
        } catch is DamagedContent {
            countDamage(digest, context)
            throw Self.unknown(digest)
        }
    }

    /// Answers a GET for a blob when the path, the caller's rights and the blob are known, and the blob is small and in
    /// memory, or of medium size and in the page cache.
    ///
    /// Everything else, failures too, is nil and goes to ``answer(_:to:_:)``, which gives the same answers.
    func answerAtOnce(_ request: HTTPRequest) -> ImmediateAnswer? {
        let start = ContinuousClock.now
        guard let path = request.path, let known = knownAnswer(at: path),
            let grant = authenticator.recall(request.headerFields[.authorization]),
            known.access.allSatisfy(grant.covers),
            // Whoever asks the usual way is told what is wrong.
            let answer = try? whole(known)
        else { return nil }
        metrics.countRemembered(known.size, duration: ContinuousClock.now - start)
        return answer
    }

    private func whole(_ known: KnownAnswer) throws -> ImmediateAnswer? {
        guard let digest = known.file else { return known.answer }
        return try storage.loadedFile(digest, size: known.size).map(known.answer.with)
    }

    /// The answer to everybody who may have what a path names: the one of a moment ago, or a new one.
    private func knownAnswer(at path: String) -> KnownAnswer? {
        let known = answers[path]
        if let known, storage.isUnchanged(since: known.look) { return known }
        guard let resource = resources.recall(path), case .blob(let name, let digest) = resource,
            // Whoever asks the usual way is told what is wrong.
            let blob = try? storage.recallBlob(digest, in: name), blob.bytes != nil || sendsFiles
        else { return nil }
        // A digest never names other bytes.
        if var known, known.answer.isDatedNow {
            known.look = blob.look
            answers.update(path) { $0.look = blob.look }
            return known
        }
        var fields = Self.fields(ofContent: digest)
        fields[.dockerAPIVersion] = Self.version
        let answer =
            blob.bytes.map { ImmediateAnswer(fields, body: $0) } ?? ImmediateAnswer(fields, length: blob.size)
        let new = KnownAnswer(
            answer: answer, file: blob.bytes == nil ? digest : nil, size: blob.size, access: resource.access(.get),
            look: blob.look)
        answers[path] = new
        return new
    }

    private func countDamage(_ digest: ImageDigest, _ context: RegistryContext) {
        metrics.countDamaged()
        context.logger.error(
            "Stored content is missing or is not what it should be", metadata: ["digest": "\(digest)"])
    }

    private func visibleBlob(
        _ digest: ImageDigest, in name: RepositoryName, _ use: BlobUse, _ context: RegistryContext
    ) async throws -> VisibleBlob {
        switch try await storage.openBlob(digest, in: name, for: use) {
        case .found(let blob): return blob
        case .unknown: throw Self.unknown(digest)
        case .damaged:
            countDamage(digest, context)
            throw Self.unknown(digest)
        }
    }

    private func serve(
        _ blob: VisibleBlob, _ request: Request, _ context: RegistryContext
    ) async throws -> Response {
        let size = blob.content.size
        var fields = Self.fields(ofContent: blob.digest)
        let selection = ByteRange.select(request.headers[.range], size: size)
        switch selection {
        case .unsatisfiable:
            throw RegistryError(
                .rangeInvalid, "The blob has \(size) bytes.", headers: [.contentRange: "bytes */\(size)"])
        case .whole:
            return try await response(.ok, fields, blob, 0..<size, (request, context))
        case .part(let range):
            fields[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
            return try await response(.partialContent, fields, blob, range, (request, context))
        }
    }

    private func response(
        _ status: HTTPResponse.Status, _ fields: HTTPFields, _ blob: VisibleBlob, _ range: Range<Int>,
        _ exchange: (request: Request, context: RegistryContext)
    ) async throws -> Response {
        let (request, content) = (exchange.request, blob.content)
        guard request.method != .head else {
            return .head(status, fields, length: range.count)
        }
        if let url = content.publicURL {
            return .empty(.temporaryRedirect, [.location: url, .contentLength: "0"])
        }
        metrics.countSent(range.count)
        if range.count <= VisibleBlob.smallSize {
            return Response(status: status, headers: fields, body: .init(byteBuffer: try await content.read(range)))
        }
        let files = sendsFiles ? FileSender(exchange.context.channel) : nil
        return Response(
            status: status, headers: fields,
            body: .init(contentLength: range.count) { writer in
                var sink = BodySink(writer: writer, files: files)
                do {
                    try await content.write(range, to: &sink)
                } catch is DamagedContent {
                    // The connection ends before the announced length, so no client takes it for whole.
                    countDamage(blob.digest, exchange.context)
                    throw DamagedContent()
                }
                try await sink.writer.finish(nil)
            })
    }

    private static func fields(of digest: ImageDigest) -> HTTPFields {
        [.dockerContentDigest: "\(digest)", .eTag: "\"\(digest)\"", .cacheControl: "max-age=31536000"]
    }

    private static func fields(ofContent digest: ImageDigest) -> HTTPFields {
        var fields = fields(of: digest)
        fields[.contentType] = "application/octet-stream"
        fields[.acceptRanges] = "bytes"
        return fields
    }

    private static func unknown(_ digest: ImageDigest) -> RegistryError {
        RegistryError(.blobUnknown, "The repository has no such blob.", detail: ["digest": "\(digest)"])
    }
}
