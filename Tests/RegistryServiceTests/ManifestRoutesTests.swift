import FoundationEssentials
import HTTPTypes
import OCIRegistry
import Testing

@testable import RegistryService

@Suite struct ManifestRoutesTests {
    private static let type = "application/vnd.oci.image.manifest.v1+json"

    @Test func aManifestIsServedByTagAndDigestWithItsExactBytes() async throws {
        try await RegistryFixture.run { registry in
            let manifest = try await registry.imageManifest("layer", in: "shop/shop", extra: ",\"odd\" :  1 ")
            let digest = ImageDigest(of: Array(manifest.utf8))
            let put = try await registry.send(
                .put, "/v2/shop/shop/manifests/v1", [.contentType: Self.type], manifest)
            #expect(put.status == 201 && put.headers[.location] == "/v2/shop/shop/manifests/\(digest)")
            for reference in ["v1", "\(digest)"] {
                let got = try await registry.send(.get, "/v2/shop/shop/manifests/\(reference)")
                #expect(got.status == 200 && got.body == manifest)
                #expect(got.headers[.contentType] == Self.type && got.headers[.dockerContentDigest] == "\(digest)")
                let head = try await registry.send(.head, "/v2/shop/shop/manifests/\(reference)")
                #expect(head.headers[.contentLength] == "\(manifest.utf8.count)" && head.body.isEmpty)
            }
        }
    }

    @Test(arguments: ["v9", ".INVALID_MANIFEST_NAME", "sha256:" + String(repeating: "0", count: 64)])
    func unknownManifestsAreNotFound(_ reference: String) async throws {
        try await RegistryFixture.run { registry in
            let reply = try await registry.send(.get, "/v2/shop/shop/manifests/\(reference)")
            #expect(reply.status == 404 && reply.code == "MANIFEST_UNKNOWN")
            #expect(try await registry.send(.head, "/v2/shop/shop/manifests/\(reference)").status == 404)
        }
    }

    @Test func theErrorBodyHasTheRegisteredForm() async throws {
        try await RegistryFixture.run { registry in
            let reply = try await registry.send(.get, "/v2/shop/shop/manifests/v9")
            let expected =
                #"{"errors":[{"code":"MANIFEST_UNKNOWN","detail":{"reference":"v9"},"#
                + #""message":"The repository has no such manifest."}]}"#
            #expect(reply.body == expected)
            #expect(reply.headers[.contentType] == "application/json; charset=utf-8")
        }
    }

    @Test(arguments: [
        ("not json", "MANIFEST_INVALID"), ("{}", "MANIFEST_INVALID"), (#"{"schemaVersion":1}"#, "MANIFEST_INVALID"),
        (
            #"{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:\#(String(repeating: "1", count: 64))","#
                + #""size":2},"layers":[]}"#,
            "MANIFEST_BLOB_UNKNOWN"
        ),
    ])
    func badManifestsAreRefused(_ body: String, _ code: String) async throws {
        try await RegistryFixture.run { registry in
            let reply = try await registry.send(.put, "/v2/a/manifests/v1", [.contentType: Self.type], body)
            #expect(reply.status == 400 && reply.code == code)
            #expect(try await registry.send(.get, "/v2/a/manifests/v1").status == 404)
        }
    }

    @Test func aManifestPushedByDigestMustHaveIt() async throws {
        try await RegistryFixture.run { registry in
            let manifest = try await registry.imageManifest("layer", in: "a")
            let wrong = ImageDigest(of: [1])
            let refused = try await registry.send(.put, "/v2/a/manifests/\(wrong)", [.contentType: Self.type], manifest)
            #expect(refused.status == 400 && refused.code == "DIGEST_INVALID")
            let long = ImageDigest(of: Array(manifest.utf8), algorithm: .sha512)
            let tagged = try await registry.send(
                .put, "/v2/a/manifests/\(long)?tag=x&tag=y", [.contentType: Self.type], manifest)
            #expect(tagged.status == 201 && tagged.headers[values: .ociTag] == ["x", "y"])
            #expect(try await registry.send(.get, "/v2/a/manifests/y").headers[.dockerContentDigest] == "\(long)")
        }
    }

    @Test func aTagWithBadCharactersIsRefused() async throws {
        try await RegistryFixture.run { registry in
            let manifest = try await registry.imageManifest("layer", in: "a")
            let reply = try await registry.send(.put, "/v2/a/manifests/-x", [.contentType: Self.type], manifest)
            #expect(reply.status == 400 && reply.code == "TAG_INVALID")
        }
    }

    @Test func deletingAManifestTakesItsTagsAlong() async throws {
        try await RegistryFixture.run { registry in
            let digest = try await registry.pushImage("layer", to: "a", tag: "v1")
            try await registry.pushImage("layer", to: "a", tag: "v2")
            #expect(try await registry.send(.delete, "/v2/a/manifests/v2").status == 202)
            #expect(try await registry.send(.get, "/v2/a/manifests/v2").status == 404)
            #expect(try await registry.send(.get, "/v2/a/manifests/\(digest)").status == 200)
            #expect(try await registry.send(.delete, "/v2/a/manifests/\(digest)").status == 202)
            #expect(try await registry.send(.head, "/v2/a/manifests/v1").status == 404)
            #expect(try await registry.send(.delete, "/v2/a/manifests/\(digest)").status == 404)
            #expect(try await registry.send(.get, "/v2/a/tags/list").body == #"{"name":"a","tags":[]}"#)
        }
    }

    @Test func tagsAreListedInPages() async throws {
        try await RegistryFixture.run { registry in
            for tag in ["b", "a", "C", "a1"] { try await registry.pushImage("layer", to: "shop/shop", tag: tag) }
            let all = try await registry.send(.get, "/v2/shop/shop/tags/list")
            #expect(all.body == #"{"name":"shop/shop","tags":["C","a","a1","b"]}"# && all.headers[.link] == nil)
            let first = try await registry.send(.get, "/v2/shop/shop/tags/list?n=2")
            #expect(first.body == #"{"name":"shop/shop","tags":["C","a"]}"#)
            #expect(first.headers[.link] == #"</v2/shop/shop/tags/list?n=2&last=a>; rel="next""#)
            let second = try await registry.send(.get, "/v2/shop/shop/tags/list?n=2&last=a")
            #expect(second.body == #"{"name":"shop/shop","tags":["a1","b"]}"# && second.headers[.link] == nil)
            let gone = try await registry.send(.get, "/v2/shop/shop/tags/list?last=aa")
            #expect(gone.body == #"{"name":"shop/shop","tags":["b"]}"#)
            let none = try await registry.send(.get, "/v2/shop/shop/tags/list?n=0")
            #expect(none.body == #"{"name":"shop/shop","tags":[]}"# && none.headers[.link] == nil)
            let bad = try await registry.send(.get, "/v2/shop/shop/tags/list?n=x")
            #expect(bad.status == 400 && bad.code == "PAGINATION_NUMBER_INVALID")
            let unknown = try await registry.send(.get, "/v2/nobody/tags/list")
            #expect(unknown.status == 404 && unknown.code == "NAME_UNKNOWN")
        }
    }

    @Test func theCatalogListsRepositories() async throws {
        try await RegistryFixture.run { registry in
            for name in ["b", "a/x", "a"] { try await registry.pushImage("layer", to: name, tag: "v1") }
            #expect(try await registry.send(.get, "/v2/_catalog").body == #"{"repositories":["a","a/x","b"]}"#)
            let page = try await registry.send(.get, "/v2/_catalog?n=1&last=a")
            #expect(page.body == #"{"repositories":["a/x"]}"#)
            #expect(page.headers[.link] == #"</v2/_catalog?n=1&last=a/x>; rel="next""#)
        }
    }

    @Test func anIndexMayListManifestsThatAreNotThere() async throws {
        try await RegistryFixture.run { registry in
            let digest = String(repeating: "2", count: 64)
            let index = """
                {"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":\
                [{"mediaType":"application/vnd.docker.distribution.manifest.v2+json","digest":"sha256:\(digest)",\
                "size":9}]}
                """
            let type = "application/vnd.docker.distribution.manifest.list.v2+json"
            #expect(try await registry.send(.put, "/v2/a/manifests/multi", [.contentType: type], index).status == 201)
            let got = try await registry.send(.get, "/v2/a/manifests/multi", [.accept: "\(type), \(Self.type)"])
            #expect(got.headers[.contentType] == type && got.body == index)
            let single = try await registry.send(.get, "/v2/a/manifests/multi", [.accept: Self.type])
            #expect(single.status == 404)
        }
    }

    @Test func referrersAreListedFilteredAndForgotten() async throws {
        try await RegistryFixture.run { registry in
            let subject = try await registry.pushImage("layer", to: "a", tag: "v1")
            let extra = """
                ,"artifactType":"application/x-signature","subject":{"mediaType":"\(Self.type)","digest":"\(subject)",\
                "size":1},"annotations":{"by":"ada"}
                """
            let manifest = try await registry.imageManifest("signature", in: "a", extra: extra)
            let digest = ImageDigest(of: Array(manifest.utf8))
            let put = try await registry.send(.put, "/v2/a/manifests/\(digest)", [.contentType: Self.type], manifest)
            #expect(put.headers[.ociSubject] == "\(subject)")
            let list = try await registry.send(.get, "/v2/a/referrers/\(subject)")
            let expected =
                #"{"manifests":[{"annotations":{"by":"ada"},"artifactType":"application/x-signature","#
                + #""digest":"\#(digest)","mediaType":"\#(Self.type)","size":\#(manifest.utf8.count)}],"#
                + #""mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#
            #expect(list.body == expected)
            #expect(list.headers[.contentType] == "application/vnd.oci.image.index.v1+json")
            let filtered = try await registry.send(.get, "/v2/a/referrers/\(subject)?artifactType=x/y")
            #expect(filtered.headers[.ociFiltersApplied] == "artifactType")
            #expect(filtered.body.contains(#""manifests":[]"#))
            #expect(try await registry.send(.delete, "/v2/a/manifests/\(digest)").status == 202)
            let empty = try await registry.send(.get, "/v2/a/referrers/\(subject)")
            #expect(empty.status == 200 && empty.body.contains(#""manifests":[]"#))
        }
    }
}
