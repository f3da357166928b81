import CurlTransfer
import Foundation
import HTTPTypes
import OCIRegistry
import Synchronization
import TestSupport
import Testing

@testable import RegistryService

/// Every way the specification offers to bring a blob into a repository.
enum PushWay: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case singlePost
    case postThenPut
    case announcedAlgorithm
    case oneChunk
    case severalChunks
    case lastChunkInPut
    case streamed
    case streamedInPut
    case resumedAfterTooFew
    case mount
    case mountFromAnywhere

    var testDescription: String { rawValue }

    /// Pushes `content` to the repository `name` and answers the last reply.
    func push(
        _ content: [UInt8], as digest: ImageDigest, to name: String, of registry: ConformanceRegistry
    ) async throws -> TransferResponse {
        let uploads = "/v2/\(name)/blobs/uploads/"
        switch self {
        case .singlePost:
            return try await registry.expect(201, .post("\(uploads)?digest=\(digest)", body: .bytes(content)))
        case .postThenPut:
            return try await end(try await registry.begin(in: name), content[...], digest, registry)
        case .announcedAlgorithm:
            let location = try await registry.begin(in: name, "?digest-algorithm=\(digest.algorithm.rawValue)")
            return try await end(location, content[...], digest, registry)
        case .mount, .mountFromAnywhere:
            try await registry.push(content, to: "\(name)/source", as: digest.algorithm)
            let from = self == .mount ? "&from=\(name)/source" : ""
            return try await registry.expect(201, .post("\(uploads)?mount=\(digest)\(from)"))
        default:
            return try await pushInParts(content, digest, to: name, registry)
        }
    }

    private func pushInParts(
        _ content: [UInt8], _ digest: ImageDigest, to name: String, _ registry: ConformanceRegistry
    ) async throws -> TransferResponse {
        var location = try await registry.begin(in: name)
        let cuts =
            self == .oneChunk ? [0, content.count] : [0, 1, content.count / 3, content.count - 1, content.count]
        switch self {
        case .streamed:
            let call = Call.patch(location, body: Self.stream(content, cuts))
            location = try #require(try await registry.expect(202, call).headers[.location])
            return try await end(location, [], digest, registry)
        case .streamedInPut:
            return try await registry.expect(
                201, .put(location + "?digest=\(digest)", body: Self.stream(content, cuts)))
        default: break
        }
        for (first, next) in zip(cuts, cuts.dropFirst()) {
            if self == .lastChunkInPut, next == content.count {
                return try await end(location, content[first...], digest, registry)
            }
            let reply = try await registry.expect(202, Self.chunk(location, content[first..<next]))
            #expect(reply.headers[.range] == "0-\(next - 1)")
            location = try #require(reply.headers[.location])
            guard self == .resumedAfterTooFew else { continue }
            let status = try await registry.expect(204, .get(location))
            #expect(status.headers[.range] == "0-\(next - 1)")
            location = try #require(status.headers[.location])
        }
        return try await end(location, [], digest, registry)
    }

    /// Ends an upload, with the rest of the content as a chunk that says where it begins.
    private func end(
        _ location: String, _ rest: ArraySlice<UInt8>, _ digest: ImageDigest, _ registry: ConformanceRegistry
    ) async throws -> TransferResponse {
        let chunk = Self.chunk(location, rest)
        return try await registry.expect(
            201, .put("\(location)?digest=\(digest)", rest.isEmpty ? [:] : chunk.headers, body: chunk.body))
    }

    static func chunk(_ location: String, _ bytes: ArraySlice<UInt8>) -> Call {
        .patch(
            location, [.contentRange: "\(bytes.startIndex)-\(bytes.endIndex - 1)"],
            body: bytes.isEmpty ? .none : .bytes(Array(bytes)))
    }

    /// A body without an announced length.
    private static func stream(_ content: [UInt8], _ cuts: [Int]) -> TransferBody {
        let (stream, source) = AsyncStream<[UInt8]>.makeStream()
        for (first, next) in zip(cuts, cuts.dropFirst()) { source.yield(Array(content[first..<next])) }
        source.finish()
        return .stream(stream)
    }
}

/// Blobs and uploads (end-2, 4 to 6, 10, 11, 13, 14 of the specification) on every kind of storage.
@Suite(.timeLimit(.minutes(2)))
struct BlobConformanceTests {
    @Test(arguments: StorageKind.available, PushWay.allCases)
    func aBlobComesInEveryWay(_ kind: StorageKind, _ way: PushWay) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            for (index, algorithm) in ImageDigest.Algorithm.allCases.enumerated() {
                let content = [UInt8].sample(40_000, seed: index)
                let digest = ImageDigest(of: content, algorithm: algorithm)
                let path = "/v2/team/app/blobs/\(digest)"
                try await registry.expect(404, .head(path))
                let reply = try await way.push(content, as: digest, to: "team/app", of: registry)
                #expect(reply.headers[.location] == path)
                #expect(reply.headers[.dockerContentDigest] == "\(digest)")
                for call in [Call.get(path), .head(path)] {
                    let found = try await registry.expect(200, call)
                    #expect(found.headers[.contentLength] == "40000" && found.headers[.acceptRanges] == "bytes")
                    #expect(found.headers[.dockerContentDigest] == "\(digest)")
                    #expect(found.headers[.eTag] == "\"\(digest)\"")
                    if call.method == .get { #expect(found.body == content) }
                }
                try await registry.expect(304, .get(path, [.ifNoneMatch: "\"\(digest)\""]))
                try await registry.expect(202, .delete(path))
                try await registry.expect(404, .head(path))
                try await registry.expect(404, "BLOB_UNKNOWN", .get(path))
                try await registry.expect(404, "BLOB_UNKNOWN", .delete(path))
            }
        }
    }

    @Test(arguments: StorageKind.available)
    func theSmallestBlobsAreBlobs(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            for way in PushWay.allCases where ![.severalChunks, .lastChunkInPut, .resumedAfterTooFew].contains(way) {
                for content in [[], Array("{}".utf8)] where way != .oneChunk || !content.isEmpty {
                    let digest = ImageDigest(of: content)
                    let name = "small/\(way.rawValue.lowercased())"
                    _ = try await (way == .streamed || way == .streamedInPut ? .postThenPut : way)
                        .push(content, as: digest, to: name, of: registry)
                    let found = try await registry.expect(200, .get("/v2/\(name)/blobs/\(digest)"))
                    #expect(found.body == content && found.headers[.contentLength] == "\(content.count)")
                }
            }
        }
    }

    @Test(arguments: StorageKind.available)
    func chunksOutOfTurnAreRefusedAndTheStatusTellsTheTruth(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            let content = [UInt8].sample(300, seed: 7)
            let digest = ImageDigest(of: content)
            let location = try await registry.begin(in: "a")
            try await registry.expect(416, "RANGE_INVALID", PushWay.chunk(location, content[100..<200]))
            try await registry.expect(202, PushWay.chunk(location, content[..<100]))
            for wrong in [content[..<100], content[99..<200], content[200...]] {
                let refused = try await registry.expect(416, "RANGE_INVALID", PushWay.chunk(location, wrong))
                #expect(refused.headers[.range] == "0-99" && refused.headers[.location] == location)
            }
            let early = Call.put("\(location)?digest=\(digest)", [.contentRange: "200-299"], body: .bytes(content))
            try await registry.expect(416, "RANGE_INVALID", early)
            for field in ["100", "199-100", "bytes", "a-b", "100-199/300"] {
                let call = Call.patch(location, [.contentRange: field], body: .bytes([1]))
                try await registry.expect(416, "RANGE_INVALID", call)
            }
            let short = Call.patch(location, [.contentRange: "100-199"], body: .bytes([1]))
            try await registry.expect(400, "SIZE_INVALID", short)
            #expect(try await registry.expect(204, .get(location)).headers[.range] == "0-99")
            try await registry.expect(202, PushWay.chunk(location, content[100...]))
            try await registry.expect(201, .put("\(location)?digest=\(digest)"))
            #expect(try await registry.expect(200, .get("/v2/a/blobs/\(digest)")).body == content)
        }
    }

    @Test(arguments: StorageKind.available)
    func anUploadThatEndedIsUnknown(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            let content = [UInt8].sample(100, seed: 1)
            let digest = ImageDigest(of: content)
            let cancelled = try await registry.begin(in: "a")
            try await registry.expect(202, PushWay.chunk(cancelled, content[...]))
            try await registry.expect(
                404, "BLOB_UPLOAD_UNKNOWN", .delete(cancelled.replacing("/v2/a/", with: "/v2/b/")))
            try await registry.expect(204, .delete(cancelled))
            let finished = try await registry.begin(in: "a")
            try await registry.expect(201, .put("\(finished)?digest=\(digest)", body: .bytes(content)))
            let wrong = try await registry.begin(in: "a")
            let refused = Call.put("\(wrong)?digest=\(digest)", body: .bytes(content + [0]))
            try await registry.expect(400, "DIGEST_INVALID", refused)
            for location in [cancelled, finished, wrong, "/v2/a/blobs/uploads/0123456789abcdef"] {
                let chunk = PushWay.chunk(location, content[...])
                for call in [.get(location), chunk, .put("\(location)?digest=\(digest)"), .delete(location)] {
                    try await registry.expect(404, call)
                }
            }
            try await registry.expect(404, "BLOB_UPLOAD_UNKNOWN", .get(cancelled))
        }
    }

    /// What a client sent before it went away is told truthfully, and the upload goes on from there.
    @Test(arguments: StorageKind.available)
    func anInterruptedUploadGoesOnFromWhereItStands(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            let content = [UInt8].sample(1_100_000, seed: 3)
            let digest = ImageDigest(of: content)
            let location = try await registry.begin(in: "a")
            let (asked, ask) = AsyncStream<Void>.makeStream()
            let body = Self.endless(content[..<1_000_000], ask)
            let sending = Task { try await registry.send(.patch(location, body: .stream(body))) }
            for await _ in asked { break }
            sending.cancel()
            _ = try? await sending.value  // Only its end matters here.
            try await eventually("the rest is taken") {
                let status = try await registry.send(.get(location))
                guard status.status == 204 else { return false }
                let last = try #require(status.headers[.range].flatMap { Int($0.dropFirst(2)) })
                #expect(last < 1_000_000)
                // Nothing is told as 0-0, as a single byte is, which never comes alone.
                let rest = PushWay.chunk(location, content[(last == 0 ? 0 : last + 1)...])
                return try await registry.send(rest).status == 202
            }
            try await registry.expect(201, .put("\(location)?digest=\(digest)"))
            #expect(try await registry.expect(200, .get("/v2/a/blobs/\(digest)")).body == content)
        }
    }

    /// A body of which only the beginning comes; tells when that has been taken.
    private static func endless(
        _ beginning: ArraySlice<UInt8>, _ taken: AsyncStream<Void>.Continuation
    ) -> AsyncStream<[UInt8]> {
        let rest = Mutex(beginning)
        return AsyncStream {
            let piece = rest.withLock { rest in
                defer { rest = rest.dropFirst(64 << 10) }
                return Array(rest.prefix(64 << 10))
            }
            if !piece.isEmpty { return piece }
            taken.yield()
            // Ends with the task that asks.
            for await _ in AsyncStream<Void>.makeStream().stream {}
            return nil
        }
    }

    @Test(arguments: StorageKind.available)
    func whatCannotBeMountedBecomesAnUpload(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            let content = [UInt8].sample(100, seed: 5)
            let digest = try await registry.push(content, to: "source")
            let missing = ImageDigest(of: [1])
            for query in [
                "mount=\(missing)&from=source", "mount=\(digest)&from=other", "mount=\(missing)",
                "mount=\(digest)&from=../source",
            ] {
                let location = try await registry.begin(in: "target", "?\(query)")
                try await registry.expect(201, .put("\(location)?digest=\(missing)", body: .bytes([1])))
                try await registry.expect(202, .delete("/v2/target/blobs/\(missing)"))
            }
            try await registry.expect(400, "DIGEST_INVALID", .post("/v2/target/blobs/uploads/?mount=sha256:x&from=a"))
            try await registry.expect(404, .head("/v2/target/blobs/\(digest)"))
            try await registry.expect(201, .post("/v2/target/blobs/uploads/?mount=\(digest)&from=source"))
            try await registry.expect(202, .delete("/v2/source/blobs/\(digest)"))
            #expect(try await registry.expect(200, .get("/v2/target/blobs/\(digest)")).body == content)
        }
    }
}

/// Ranges of blobs on every kind of storage, of one read at once and of one sent piece by piece.
@Suite(.timeLimit(.minutes(2)))
struct BlobRangeConformanceTests {
    private struct Row {
        let field: String
        let range: Range<Int>?
        var isWhole = false
    }

    private static func rows(_ size: Int) -> [Row] {
        [
            Row(field: "bytes=0-0", range: 0..<1), Row(field: "bytes=2-4", range: 2..<5),
            Row(field: "bytes=3-", range: 3..<size), Row(field: "bytes=0-", range: 0..<size),
            Row(field: "bytes=-5", range: size - 5..<size), Row(field: "bytes=-\(size * 2)", range: 0..<size),
            Row(field: "bytes=\(size - 2)-\(size * 2)", range: size - 2..<size),
            Row(field: "bytes=\(size / 2)-\(size / 2 + 3)", range: size / 2..<size / 2 + 4),
            // Several ranges may be answered with everything.
            Row(field: "bytes=0-1,3-4", range: 0..<size, isWhole: true),
            Row(field: "items=0-1", range: 0..<size, isWhole: true),
            Row(field: "bytes=\(size)-", range: nil), Row(field: "bytes=\(size)-\(size + 9)", range: nil),
            Row(field: "bytes=5-0", range: nil), Row(field: "bytes=-0", range: nil),
        ]
    }

    @Test(arguments: StorageKind.available, [10, 270_000])
    func partsAreServed(_ kind: StorageKind, _ size: Int) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            let content = [UInt8].sample(size, seed: size)
            let path = "/v2/a/blobs/\(try await registry.push(content, to: "a"))"
            for row in Self.rows(size) {
                guard let range = row.range else {
                    let refused = try await registry.expect(416, "RANGE_INVALID", .get(path, [.range: row.field]))
                    #expect(refused.headers[.contentRange] == "bytes */\(size)", "\(row.field)")
                    continue
                }
                let reply = try await registry.expect(row.isWhole ? 200 : 206, .get(path, [.range: row.field]))
                #expect(reply.body == Array(content[range]), "\(row.field)")
                #expect(reply.headers[.contentLength] == "\(range.count)", "\(row.field)")
                let told = row.isWhole ? nil : "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)"
                #expect(reply.headers[.contentRange] == told, "\(row.field)")
            }
        }
    }
}
