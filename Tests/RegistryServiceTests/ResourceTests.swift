import HTTPTypes
import OCIRegistry
import Testing

@testable import RegistryService

@Suite struct ResourceTests {
    static let digest = "sha256:" + String(repeating: "a", count: 64)
    static let id = String(repeating: "0a", count: 16)

    @Test(arguments: [
        ("/v2", "base"), ("/v2/", "base"), ("/v2/_catalog", "catalog"), ("/v2/_oci/ext/discover", "extensions"),
        ("/v2/a/blobs/\(digest)", "blob"), ("/v2/a/b/c/blobs/sha256%3A\(String(repeating: "a", count: 64))", "blob"),
        ("/v2/a/blobs/uploads/", "uploads"), ("/v2/a/blobs/uploads", "uploads"),
        ("/v2/a/blobs/uploads/\(id)", "upload"), ("/v2/a/manifests/v1", "manifest"),
        ("/v2/a/manifests/\(digest)", "manifest"), ("/v2/a/tags/list", "tags"),
        ("/v2/a/referrers/\(digest)", "referrers"), ("/v2/manifests/tags/manifests/list", "manifest"),
        ("/v2/blobs/uploads/blobs/uploads/", "uploads"),
    ])
    func pathsNameResources(_ path: String, _ label: String) throws {
        #expect(try RegistryResource(path: path).label == label)
    }

    @Test(arguments: [
        ("/v2/../blobs/\(digest)", "NAME_INVALID"), ("/v2/a/%2e%2e/blobs/\(digest)", "NAME_INVALID"),
        ("/v2/a%2Fb/blobs/\(digest)", "UNSUPPORTED"), ("/v2/a%00/blobs/\(digest)", "UNSUPPORTED"),
        ("/v2/A/tags/list", "NAME_INVALID"), ("/v2//tags/list", "NAME_INVALID"), ("/v2/_x/tags/list", "NAME_INVALID"),
        ("/v2/a/blobs/sha256:short", "DIGEST_INVALID"), ("/v2/a/blobs/md5:00", "DIGEST_INVALID"),
        ("/v2/a/blobs/..", "DIGEST_INVALID"), ("/v2/a/manifests/sha256:totallywrong", "DIGEST_INVALID"),
        ("/v2/a/blobs/uploads/../../etc", "UNSUPPORTED"), ("/v2/a/blobs/uploads/%2e%2e", "UNSUPPORTED"),
        ("/v2/a/nothing/x", "UNSUPPORTED"), ("/v2/a", "UNSUPPORTED"), ("/v2/a/%zz/x", "UNSUPPORTED"),
        ("/v2/a/%ff/x", "UNSUPPORTED"),
    ])
    func otherPathsAreRefused(_ path: String, _ code: String) {
        #expect { try RegistryResource(path: path) } throws: { ($0 as? RegistryError)?.code.text == code }
    }

    @Test func everyResourceHasAPolicyForItsMethods() throws {
        let name = try RepositoryName("shop/shop")
        let digest = try ImageDigest(Self.digest)
        let upload = try #require(UploadID(Self.id))
        let guarded: [RegistryResource] = [
            .catalog, .blob(name, digest), .uploads(name), .upload(name, upload), .manifest(name, .digest(digest)),
            .tags(name), .referrers(name, digest),
        ]
        for resource in guarded {
            for method in resource.methods { #expect(!resource.access(method).isEmpty, "\(resource) \(method)") }
        }
        #expect(RegistryResource.blob(name, digest).access(.get).map(\.scope) == ["repository:shop/shop:pull"])
        #expect(RegistryResource.uploads(name).access(.post).map(\.scope) == ["repository:shop/shop:pull,push"])
        #expect(RegistryResource.blob(name, digest).access(.delete).map(\.scope) == ["repository:shop/shop:delete"])
        #expect(RegistryResource.catalog.access(.get).map(\.scope) == ["registry:catalog:*"])
    }

    @Test(
        arguments: [
            (nil, ByteRange.whole), ("bytes=0-4", .part(0..<5)), ("bytes=5-", .part(5..<10)),
            ("bytes=-3", .part(7..<10)),
            ("bytes=-30", .part(0..<10)), ("bytes=9-100", .part(9..<10)), ("bytes=10-", .unsatisfiable),
            ("bytes=5-2", .unsatisfiable), ("bytes=-0", .unsatisfiable), ("bytes=0-1,3-4", .whole),
            ("items=0-1", .whole),
            ("bytes=-", .whole), ("bytes=a-b", .whole), ("bytes=99999999999999999999-", .unsatisfiable),
        ] as [(String?, ByteRange)])
    func rangesSelectBytesOfABlobOfTen(_ field: String?, _ expected: ByteRange) {
        #expect(ByteRange.select(field, size: 10) == expected)
    }

    @Test(arguments: ["", "5", "5-", "-5", "5-4", "a-b", "0-1-2", "0-9223372036854775807", "+1-2"])
    func malformedChunkRangesAreRefused(_ field: String) {
        #expect(throws: RegistryError.self) { try ChunkRange(field) }
    }

    @Test func acceptExcludesOnlyWhenItNamesManifests() {
        let index = OCIRegistry.MediaType.ociIndex
        #expect(AcceptedTypes([]).allow(index))
        #expect(AcceptedTypes(["*/*"]).allow(index))
        #expect(AcceptedTypes(["application/json"]).allow(index))
        #expect(AcceptedTypes(["application/vnd.oci.image.manifest.v1+json, \(index);q=0.9"]).allow(index))
        #expect(!AcceptedTypes(["application/vnd.oci.image.manifest.v1+json"]).allow(index))
    }
}

@Suite struct AccessMatrixTests {
    private static let actions = ["pull", "push", "delete", "*"]
    private static let repositories = ["shop/shop", "shop/shop2", "shop"]

    /// Every token × repository × request: only an entry for exactly that repository with the action, or `*`,
    /// succeeds.
    @Test func aTokenCoversExactlyWhatItLists() throws {
        for granted in Self.repositories {
            for mask in 0..<16 {
                let actions = Self.actions.enumerated().filter { mask & (1 << $0.offset) != 0 }.map(\.element)
                let grant = AccessGrant.only([
                    ResourceAccess(
                        type: "repository", name: granted, actions: actions.compactMap { .init(rawValue: $0) })
                ])
                for wanted in Self.repositories {
                    let name = try RepositoryName(wanted)
                    let any = granted == wanted && actions.contains("*")
                    let has = { (action: String) in any || granted == wanted && actions.contains(action) }
                    #expect(grant.covers(.repository(name, .pull)) == has("pull"))
                    #expect(grant.covers(.repository(name, .delete)) == has("delete"))
                    #expect(grant.covers(.repository(name, .pull, .push)) == (has("pull") && has("push")))
                    #expect(!grant.covers(.catalog))
                }
            }
        }
    }
}
