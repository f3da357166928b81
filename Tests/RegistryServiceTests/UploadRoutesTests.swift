import FoundationEssentials
import HTTPTypes
import OCIRegistry
import Testing

@testable import RegistryService

@Suite struct UploadRoutesTests {
    private static let hello = ImageDigest(of: Array("hello world".utf8))

    private func begin(_ registry: RegistryFixture, _ name: String = "shop/shop") async throws -> String {
        let reply = try await registry.send(.post, "/v2/\(name)/blobs/uploads/")
        #expect(reply.status == 202)
        #expect(reply.headers[.range] == "0-0")
        let location = try #require(reply.headers[.location])
        #expect(location.hasPrefix("/v2/\(name)/blobs/uploads/"))
        #expect(reply.headers[.dockerUploadID].map { location.hasSuffix("/\($0)") } == true)
        return location
    }

    @Test func aBlobIsPushedInOneRequest() async throws {
        try await RegistryFixture.run { registry in
            let path = "/v2/shop/shop/blobs/uploads/?digest=\(Self.hello)"
            let reply = try await registry.send(.post, path, [:], "hello world")
            #expect(reply.status == 201)
            #expect(reply.headers[.location] == "/v2/shop/shop/blobs/\(Self.hello)")
            #expect(reply.headers[.dockerContentDigest] == "\(Self.hello)")
            let got = try await registry.send(.get, "/v2/shop/shop/blobs/\(Self.hello)")
            #expect(got.status == 200 && got.body == "hello world")
            #expect(got.headers[.contentType] == "application/octet-stream")
            #expect(got.headers[.eTag] == "\"\(Self.hello)\"")
            #expect(got.headers[.dockerAPIVersion] == "registry/2.0")
        }
    }

    @Test func chunksAreAppendedAndTheStatusTellsTheTruth() async throws {
        try await RegistryFixture.run { registry in
            let location = try await begin(registry)
            let first = try await registry.send(.patch, location, [.contentRange: "0-5"], "hello ")
            #expect(first.status == 202 && first.headers[.range] == "0-5")
            let repeated = try await registry.send(.patch, location, [.contentRange: "0-5"], "hello ")
            #expect(repeated.status == 416 && repeated.headers[.range] == "0-5")
            #expect(repeated.headers[.location] == location && repeated.code == "RANGE_INVALID")
            let ahead = try await registry.send(.patch, location, [.contentRange: "7-10"], "orld")
            #expect(ahead.status == 416)
            let status = try await registry.send(.get, location)
            #expect(status.status == 204 && status.headers[.range] == "0-5")
            let wrongLength = try await registry.send(.patch, location, [.contentRange: "6-8"], "w")
            #expect(wrongLength.status == 400 && wrongLength.code == "SIZE_INVALID")
            let end = try await registry.send(
                .put, "\(location)?digest=\(Self.hello)", [.contentRange: "6-10"], "world")
            #expect(end.status == 201)
        }
    }

    @Test func theEndMayCarryTheLastChunk() async throws {
        try await RegistryFixture.run { registry in
            let location = try await begin(registry)
            _ = try await registry.send(.patch, location, [:], "hello ")
            let end = try await registry.send(
                .put, "\(location)?digest=\(Self.hello)", [.contentRange: "6-10"], "world")
            #expect(end.status == 201)
            #expect(try await registry.send(.get, location).status == 404)
        }
    }

    @Test func anEmptyBlobIsABlob() async throws {
        try await RegistryFixture.run { registry in
            let digest = ImageDigest(of: [])
            let location = try await begin(registry)
            #expect(try await registry.send(.put, "\(location)?digest=\(digest)").status == 201)
            let got = try await registry.send(.get, "/v2/shop/shop/blobs/\(digest)")
            #expect(got.status == 200 && got.body.isEmpty && got.headers[.contentLength] == "0")
        }
    }

    @Test func sha512IsComputedWhenItIsAskedForAtTheEnd() async throws {
        try await RegistryFixture.run { registry in
            let digest = ImageDigest(of: Array("hello world".utf8), algorithm: .sha512)
            let late = try await begin(registry)
            #expect(try await registry.send(.put, "\(late)?digest=\(digest)", [:], "hello world").status == 201)
            let early = try await registry.send(.post, "/v2/a/blobs/uploads/?digest-algorithm=sha512")
            let location = try #require(early.headers[.location])
            #expect(try await registry.send(.put, "\(location)?digest=\(digest)", [:], "hello world").status == 201)
            #expect(try await registry.send(.get, "/v2/a/blobs/\(digest)").body == "hello world")
        }
    }

    @Test(arguments: ["", "?digest=", "?digest=sha256:abc", "?digest=md5:00", "?digest=../../x"])
    func anEndWithoutAGoodDigestIsRefusedAndTheUploadStays(_ query: String) async throws {
        try await RegistryFixture.run { registry in
            let location = try await begin(registry)
            _ = try await registry.send(.patch, location, [:], "hello world")
            let reply = try await registry.send(.put, location + query)
            #expect(reply.status == 400 && reply.code == "DIGEST_INVALID")
            #expect(try await registry.send(.get, location).headers[.range] == "0-10")
            #expect(try await registry.send(.put, "\(location)?digest=\(Self.hello)").status == 201)
        }
    }

    @Test func wrongContentNeverBecomesABlob() async throws {
        try await RegistryFixture.run { registry in
            let location = try await begin(registry)
            let reply = try await registry.send(.put, "\(location)?digest=\(Self.hello)", [:], "hello earth")
            #expect(reply.status == 400 && reply.code == "DIGEST_INVALID")
            #expect(try await registry.send(.get, location).status == 404)
            let single = try await registry.send(.post, "/v2/a/blobs/uploads/?digest=\(Self.hello)", [:], "x")
            #expect(single.status == 400)
            #expect(try await registry.send(.head, "/v2/shop/shop/blobs/\(Self.hello)").status == 404)
            #expect(try StorageVerification(layout: registry.storage.layout).run().checked == 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: registry.root + "/uploads") == [])
        }
    }

    @Test func anUploadCanBeCancelled() async throws {
        try await RegistryFixture.run { registry in
            let location = try await begin(registry)
            #expect(try await registry.send(.delete, location).status == 204)
            let again = try await registry.send(.patch, location, [:], "x")
            #expect(again.status == 404 && again.code == "BLOB_UPLOAD_UNKNOWN")
        }
    }

    @Test func anUploadBelongsToItsRepository() async throws {
        try await RegistryFixture.run { registry in
            let location = try await begin(registry)
            let foreign = location.replacing("/v2/shop/shop/", with: "/v2/other/")
            #expect(try await registry.send(.get, foreign).code == "BLOB_UPLOAD_UNKNOWN")
            #expect(try await registry.send(.delete, foreign).status == 404)
            #expect(try await registry.send(.get, location).status == 204)
        }
    }

    @Test func aBlobIsMountedFromAnotherRepository() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.push("layer", to: "source/a")
            let reply = try await registry.send(.post, "/v2/target/b/blobs/uploads/?mount=\(digest)&from=source/a")
            #expect(reply.status == 201 && reply.headers[.location] == "/v2/target/b/blobs/\(digest)")
            #expect(try await registry.send(.get, "/v2/target/b/blobs/\(digest)").body == "layer")
            let anywhere = try await registry.send(.post, "/v2/target/c/blobs/uploads/?mount=\(digest)")
            #expect(anywhere.status == 201)
            let missing = try await registry.send(
                .post, "/v2/target/d/blobs/uploads/?mount=\(Self.hello)&from=source/a")
            #expect(missing.status == 202)
            let nowhere = try await registry.send(.post, "/v2/target/d/blobs/uploads/?mount=\(digest)&from=../x")
            #expect(nowhere.status == 202)
        }
    }

    @Test func limitsAreKept() async throws {
        try await RegistryFixture.run(limits: RegistryLimits(manifestSize: 200, blobSize: 8)) { registry in
            let location = try await begin(registry)
            let reply = try await registry.send(.patch, location, [:], "123456789")
            #expect(reply.status == 413 && reply.code == "SIZE_INVALID")
            #expect(try await registry.send(.patch, location, [:], "12345678").status == 202)
            let manifest = try await registry.send(
                .put, "/v2/a/manifests/v1", [.contentType: "application/vnd.oci.image.index.v1+json"],
                String(repeating: " ", count: 201))
            #expect(manifest.status == 413)
        }
    }

    @Test func concurrentPushesOfOneBlobAllSucceed() async throws {
        try await RegistryFixture.run { registry in
            let content = String(repeating: "layer ", count: 50_000)
            try await withThrowingTaskGroup { group in
                for number in 0..<16 {
                    group.addTask { try await registry.push(content, to: "shop/app\(number % 4)") }
                }
                try await group.waitForAll()
            }
            let digest = ImageDigest(of: Array(content.utf8))
            for number in 0..<4 {
                #expect(try await registry.send(.get, "/v2/shop/app\(number)/blobs/\(digest)").body == content)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: registry.root + "/uploads") == [])
        }
    }
}
