import CurlTransfer
import Foundation
import HTTPTypes
import OCIRegistry
import TestSupport
import Testing

@testable import RegistryService

extension ConformanceRegistry {
    /// Pushes everything a sample needs, not the manifest itself.
    func pushParts(of sample: ContentSample, to name: String) async throws {
        for blob in sample.blobs { try await push(blob, to: name, as: sample.algorithm) }
        for child in sample.children { try await push(child, to: name) }
    }

    /// Pushes a sample by tag, or by digest without one.
    func push(_ sample: ContentSample, to name: String, tag: String? = nil) async throws {
        try await pushParts(of: sample, to: name)
        let reply = try await expect(201, Self.put(sample, to: name, as: tag ?? "\(sample.digest)"))
        #expect(reply.headers[.location] == "/v2/\(name)/manifests/\(sample.digest)")
        #expect(reply.headers[.dockerContentDigest] == "\(sample.digest)")
        #expect(reply.headers[.ociSubject] == sample.referrer.map { "\($0.subject)" })
    }

    static func put(_ sample: ContentSample, to name: String, as reference: String) -> Call {
        .put("/v2/\(name)/manifests/\(reference)", [.contentType: "\(sample.type)"], body: .bytes(sample.manifest))
    }

    /// What the referrers API answers.
    func referrers(of subject: ImageDigest, in name: String, _ query: String = "") async throws -> ImageIndex {
        let reply = try await expect(200, .get("/v2/\(name)/referrers/\(subject)\(query)"))
        #expect(reply.headers[.contentType] == OCIRegistry.MediaType.ociIndex.rawValue)
        #expect(reply.headers[.ociFiltersApplied] == (query.isEmpty ? nil : "artifactType"))
        let index = try JSONDecoder().decode(ImageIndex.self, from: Data(reply.body))
        #expect(index.schemaVersion == 2 && index.mediaType == .ociIndex)
        return index
    }
}

/// Manifests (end-3, 7, 9, 12 of the specification) of every kind, on every kind of storage.
@Suite(.timeLimit(.minutes(2)))
struct ManifestConformanceTests {
    private static let name = "team/app"

    @Test(arguments: StorageKind.available, ContentSample.all)
    func everyKindIsPushedServedAndDeleted(_ kind: StorageKind, _ sample: ContentSample) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            let path = "/v2/\(Self.name)/manifests"
            // A tag names the sha256 digest; another one is asked for by its path, with the tag beside it.
            let isTagged = sample.algorithm == .sha256
            try await registry.push(sample, to: Self.name, tag: isTagged ? "v1" : nil)
            let call = ConformanceRegistry.put(sample, to: Self.name, as: "\(sample.digest)?tag=v1&tag=v2")
            let tagged = try await registry.expect(201, call)
            #expect(tagged.headers[values: .ociTag].flatMap { $0.split(separator: ",") }.count == 2)
            for reference in ["v1", "v2", "\(sample.digest)"] {
                try await Self.isServed(sample, "\(path)/\(reference)", registry)
            }
            #expect(try await registry.list("/v2/\(Self.name)/tags/list") == ["v1", "v2"])
            if let referrer = sample.referrer { try await Self.isTold(sample, referrer, registry) }
            try await registry.expect(202, .delete("\(path)/v1"))
            try await registry.expect(404, "MANIFEST_UNKNOWN", .get("\(path)/v1"))
            try await registry.expect(404, "MANIFEST_UNKNOWN", .delete("\(path)/v1"))
            try await Self.isServed(sample, "\(path)/\(sample.digest)", registry)
            try await registry.expect(202, .delete("\(path)/\(sample.digest)"))
            for reference in ["v2", "\(sample.digest)"] {
                try await registry.expect(404, .head("\(path)/\(reference)"))
                try await registry.expect(404, "MANIFEST_UNKNOWN", .get("\(path)/\(reference)"))
            }
            #expect(try await registry.list("/v2/\(Self.name)/tags/list").isEmpty)
            if let referrer = sample.referrer {
                #expect(try await registry.referrers(of: referrer.subject, in: Self.name).manifests.isEmpty)
            }
            for blob in sample.blobs {
                let digest = ImageDigest(of: blob, algorithm: sample.algorithm)
                try await registry.expect(202, .delete("/v2/\(Self.name)/blobs/\(digest)"))
                try await registry.expect(404, .head("/v2/\(Self.name)/blobs/\(digest)"))
            }
        }
    }

    private static func isServed(
        _ sample: ContentSample, _ path: String, _ registry: ConformanceRegistry
    ) async throws {
        for call in [Call.get(path), .head(path), .get(path, [.accept: "\(sample.type)"])] {
            let reply = try await registry.expect(200, call)
            #expect(reply.headers[.contentType] == "\(sample.type)")
            #expect(reply.headers[.contentLength] == "\(sample.manifest.count)")
            #expect(reply.headers[.dockerContentDigest] == "\(sample.digest)")
            if call.method == .get { #expect(reply.body == sample.manifest) }
        }
        try await registry.expect(304, .get(path, [.ifNoneMatch: "\"\(sample.digest)\""]))
    }

    private static func isTold(
        _ sample: ContentSample, _ referrer: ContentSample.Referrer, _ registry: ConformanceRegistry
    ) async throws {
        let told = try await registry.referrers(of: referrer.subject, in: name).manifests
        try #require(told.count == 1)
        #expect(told[0].digest == sample.digest && told[0].size == sample.manifest.count)
        #expect(told[0].mediaType == sample.type && told[0].annotations == referrer.annotations)
        #expect(told[0].artifactType?.rawValue == referrer.artifactType)
        let other = try await registry.referrers(of: referrer.subject, in: name, "?artifactType=application/x-else")
        #expect(other.manifests.isEmpty)
        guard let type = referrer.artifactType else { return }
        let same = try await registry.referrers(of: referrer.subject, in: name, "?artifactType=\(type)")
        #expect(same.manifests == told)
    }

    /// A subject may come after what is about it, and go before it.
    @Test(arguments: StorageKind.available)
    func referrersOutliveTheirSubject(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            let subject = ContentSample.plain
            let referrers = ContentSample.referrers(of: subject)
            #expect(try await registry.referrers(of: subject.digest, in: "nobody").manifests.isEmpty)
            for referrer in referrers { try await registry.push(referrer, to: "a") }
            let all = Set(referrers.map(\.digest))
            func told(_ query: String = "") async throws -> Set<ImageDigest> {
                Set(try await registry.referrers(of: subject.digest, in: "a", query).manifests.map(\.digest))
            }
            #expect(try await told() == all)
            try await registry.push(subject, to: "a", tag: "v1")
            #expect(try await told() == all)
            try await registry.expect(202, .delete("/v2/a/manifests/\(subject.digest)"))
            try await registry.expect(404, .head("/v2/a/manifests/v1"))
            #expect(try await told() == all)
            for referrer in referrers {
                if let type = referrer.referrer?.artifactType {
                    #expect(try await told("?artifactType=\(type)") == [referrer.digest])
                }
            }
            #expect(try await registry.referrers(of: subject.digest, in: "b").manifests.isEmpty)
            try await registry.expect(202, .delete("/v2/a/manifests/\(referrers[0].digest)"))
            #expect(try await told() == all.subtracting([referrers[0].digest]))
        }
    }

    @Test(arguments: StorageKind.available)
    func aTagMovesAndWhatItLeftStays(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            let (first, second) = (ContentSample.images[0], ContentSample.images[1])
            try await registry.push(first, to: "a", tag: "latest")
            try await registry.push(second, to: "a", tag: "latest")
            try await Self.isServed(second, "/v2/a/manifests/latest", registry)
            try await Self.isServed(first, "/v2/a/manifests/\(first.digest)", registry)
            // What the tag does not name any more takes nothing along.
            try await registry.expect(202, .delete("/v2/a/manifests/\(first.digest)"))
            try await Self.isServed(second, "/v2/a/manifests/latest", registry)
        }
    }

    @Test(arguments: StorageKind.available)
    func whatIsNotWholeIsRefused(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind, limits: RegistryLimits(manifestSize: 4000)) { registry in
            let sample = ContentSample.plain
            func refuse(_ status: Int, _ code: String, _ body: [UInt8], as reference: String = "v1") async throws {
                let headers: HTTPFields = [.contentType: "\(sample.type)"]
                let call = Call.put("/v2/a/manifests/\(reference)", headers, body: .bytes(body))
                try await registry.expect(status, code, call)
            }
            try await refuse(400, "MANIFEST_BLOB_UNKNOWN", sample.manifest)
            try await registry.push(sample.blobs[0], to: "a")
            try await refuse(400, "MANIFEST_BLOB_UNKNOWN", sample.manifest)
            try await registry.pushParts(of: sample, to: "a")
            let other = ImageDigest(of: [1])
            try await refuse(400, "DIGEST_INVALID", sample.manifest, as: "\(other)")
            try await refuse(400, "DIGEST_INVALID", sample.manifest, as: "sha256:totallywrong")
            try await refuse(400, "TAG_INVALID", sample.manifest, as: "-v1")
            try await refuse(400, "TAG_INVALID", sample.manifest, as: "\(sample.digest)?tag=-v1")
            try await refuse(413, "MANIFEST_INVALID", sample.manifest + [UInt8](repeating: 32, count: 4000))
            let text = String(decoding: sample.manifest, as: UTF8.self)
            try await refuse(400, "MANIFEST_INVALID", Array(text.replacing("2000}", with: "2222}").utf8))
            for text in ["", "not json", "{}", "[]", #"{"schemaVersion":1}"#, #"{"schemaVersion":2,"manifests":[]}"#] {
                try await refuse(400, "MANIFEST_INVALID", Array(text.utf8))
            }
            let index = ConformanceRegistry.put(sample, to: "a", as: "v1")
            let mistaken = Call.put(index.path, [.contentType: "\(OCIRegistry.MediaType.ociIndex)"], body: index.body)
            try await registry.expect(400, "MANIFEST_INVALID", mistaken)
            try await registry.expect(404, "MANIFEST_UNKNOWN", .get("/v2/a/manifests/v1"))
            try await registry.push(sample, to: "a", tag: "v1")
        }
    }

    @Test(arguments: StorageKind.available)
    func missingLayersAreAcceptedWhereTheyAreAllowed(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind, limits: RegistryLimits(allowsMissingBlobs: true)) { registry in
            let sample = ContentSample.plain
            try await registry.expect(201, ConformanceRegistry.put(sample, to: "a", as: "v1"))
            try await Self.isServed(sample, "/v2/a/manifests/v1", registry)
        }
    }
}
