import FoundationEssentials
import HTTPTypes
import OCIRegistry
import Testing

@testable import RegistryService

@Suite struct BlobRoutesTests {
    @Test func headTellsWhatGetWouldSend() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.push("0123456789", to: "a")
            let reply = try await registry.send(.head, "/v2/a/blobs/\(digest)")
            #expect(reply.status == 200 && reply.body.isEmpty)
            #expect(reply.headers[.contentLength] == "10" && reply.headers[.acceptRanges] == "bytes")
            #expect(reply.headers[.dockerContentDigest] == "\(digest)")
        }
    }

    @Test func rangesAreServed() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.push("0123456789", to: "a")
            let part = try await registry.send(.get, "/v2/a/blobs/\(digest)", [.range: "bytes=2-4"])
            #expect(part.status == 206 && part.body == "234")
            #expect(part.headers[.contentRange] == "bytes 2-4/10" && part.headers[.contentLength] == "3")
            let past = try await registry.send(.get, "/v2/a/blobs/\(digest)", [.range: "bytes=10-"])
            #expect(past.status == 416 && past.headers[.contentRange] == "bytes */10")
        }
    }

    @Test func largeBlobsAreStreamedWhole() async throws {
        try await RegistryFixture.run { registry in
            let content = String(repeating: "0123456789abcdef", count: 300_000)
            let digest = try await registry.push(content, to: "a")
            #expect(try await registry.send(.get, "/v2/a/blobs/\(digest)").body == content)
            let tail = try await registry.send(.get, "/v2/a/blobs/\(digest)", [.range: "bytes=16-"])
            #expect(tail.body.utf8.count == content.utf8.count - 16)
        }
    }

    @Test func aKnownBlobIsNotSentAgain() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.push("x", to: "a")
            let reply = try await registry.send(.get, "/v2/a/blobs/\(digest)", [.ifNoneMatch: "\"\(digest)\""])
            #expect(reply.status == 304 && reply.body.isEmpty)
        }
    }

    /// A layer of another tenant must not be readable by knowing its digest.
    @Test func aBlobIsVisibleOnlyWhereItWasPushed() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.push("secret", to: "a")
            let reply = try await registry.send(.get, "/v2/b/blobs/\(digest)")
            #expect(reply.status == 404 && reply.code == "BLOB_UNKNOWN")
        }
    }

    @Test func aTruncatedBlobIsNeverServedAndCanBePushedAgain() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.push("0123456789", to: "a")
            let path = registry.storage.layout.blob(digest)
            try Data("01234".utf8).write(to: URL(filePath: path))
            #expect(try await registry.send(.get, "/v2/a/blobs/\(digest)").status == 404)
            #expect(try await registry.send(.head, "/v2/a/blobs/\(digest)").status == 404)
            try await registry.push("0123456789", to: "a")
            #expect(try await registry.send(.get, "/v2/a/blobs/\(digest)").body == "0123456789")
        }
    }

    @Test func deletingABlobAffectsOneRepository() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.push("x", to: "a")
            try await registry.push("x", to: "b")
            #expect(try await registry.send(.delete, "/v2/a/blobs/\(digest)").status == 202)
            #expect(try await registry.send(.head, "/v2/a/blobs/\(digest)").status == 404)
            #expect(try await registry.send(.delete, "/v2/a/blobs/\(digest)").status == 404)
            #expect(try await registry.send(.head, "/v2/b/blobs/\(digest)").status == 200)
        }
    }

    @Test func deletesCanBeSwitchedOff() async throws {
        try await RegistryFixture.run(allowsDeletes: false) { registry in
            let digest = try await registry.pushImage("x", to: "a", tag: "v1")
            for path in ["/v2/a/manifests/v1", "/v2/a/manifests/\(digest)", "/v2/a/blobs/\(digest)"] {
                let reply = try await registry.send(.delete, path)
                #expect(reply.status == 405 && reply.code == "UNSUPPORTED")
            }
        }
    }

    @Test func wrongMethodsAreNamed() async throws {
        try await RegistryFixture.run { registry in
            let reply = try await registry.send(.put, "/v2/a/tags/list")
            #expect(reply.status == 405 && reply.headers[.allow] == "GET, HEAD")
        }
    }
}
