import FoundationEssentials
import HTTPTypes
import OCIRegistry
import Testing

@testable import RegistryService

@Suite struct PagingTests {
    @Test func tenThousandTagsAreListedPageByPage() async throws {
        try await RegistryFixture.run { registry in
            let manifest = try await registry.imageManifest("layer", in: "a")
            let digest = ImageDigest(of: Array(manifest.utf8))
            let tags = (0..<10_000).map { "v\($0)" }
            for start in stride(from: 0, to: tags.count, by: 16) {
                let query = tags[start..<min(start + 16, tags.count)].map { "tag=\($0)" }.joined(separator: "&")
                let reply = try await registry.send(
                    .put, "/v2/a/manifests/\(digest)?\(query)",
                    [.contentType: OCIRegistry.MediaType.ociManifest.rawValue], manifest)
                #expect(reply.status == 201)
            }
            let found = try await pages("/v2/a/tags/list?n=997", registry) { page in
                let names = page.body.split(separator: "[")[1].split(separator: "]")[0]
                return names.split(separator: ",").map { String($0.dropFirst().dropLast()) }
            }.flatMap(\.self)
            #expect(found == tags.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
            let last = try await registry.send(.get, "/v2/a/tags/list?n=5&last=v9998")
            #expect(last.body == #"{"name":"a","tags":["v9999"]}"# && last.headers[.link] == nil)
        }
    }

    @Test func referrersAreListedPageByPage() async throws {
        try await RegistryFixture.run(limits: RegistryLimits(pageSize: 3)) { registry in
            let subject = try await registry.pushImage("layer", to: "a", tag: "v1")
            let type = OCIRegistry.MediaType.ociManifest.rawValue
            var digests: [String: Set<ImageDigest>] = [:]
            for number in 0..<8 {
                let artifactType = number < 5 ? "application/vnd.one+json" : "application/vnd.other"
                let extra = """
                    ,"artifactType":"\(artifactType)","annotations":{"number":"\(number)"},\
                    "subject":{"mediaType":"\(type)","digest":"\(subject)","size":1}
                    """
                let manifest = try await registry.imageManifest("signature", in: "a", extra: extra)
                let digest = ImageDigest(of: Array(manifest.utf8))
                let path = "/v2/a/manifests/\(digest)"
                #expect(try await registry.send(.put, path, [.contentType: type], manifest).status == 201)
                digests[artifactType, default: []].insert(digest)
            }
            let list = "/v2/a/referrers/\(subject)"
            let all = try await pages(list, registry, read: Self.digests)
            #expect(all.map(\.count) == [3, 3, 2])
            #expect(Set(all.flatMap(\.self)) == digests.values.reduce([]) { $0.union($1) })
            let some = try await pages("\(list)?n=2&artifactType=application%2Fvnd.one%2Bjson", registry) { page in
                #expect(page.headers[.ociFiltersApplied] == "artifactType")
                return try Self.digests(page)
            }
            #expect(some.map(\.count) == [2, 2, 1])
            #expect(Set(some.flatMap(\.self)) == digests["application/vnd.one+json"])
        }
    }

    private static func digests(_ page: RegistryFixture.Reply) throws -> [ImageDigest] {
        try JSONDecoder().decode(ImageIndex.self, from: Data(page.body.utf8)).manifests.map(\.digest)
    }

    /// What each page of a list says, following the links from its first.
    private func pages<Entry>(
        _ first: String, _ registry: RegistryFixture, read: (RegistryFixture.Reply) throws -> [Entry]
    ) async throws -> [[Entry]] {
        var found: [[Entry]] = []
        var next: String? = first
        while let path = next {
            let page = try await registry.send(.get, path)
            found.append(try read(page))
            next = page.headers[.link].map { String($0.dropFirst().prefix { $0 != ">" }) }
        }
        return found
    }
}
