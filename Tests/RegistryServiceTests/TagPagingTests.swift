import HTTPTypes
import OCIRegistry
import Testing

@testable import RegistryService

@Suite struct TagPagingTests {
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
            var found: [String] = []
            var next: String? = "/v2/a/tags/list?n=997"
            while let path = next {
                let page = try await registry.send(.get, path)
                let names = page.body.split(separator: "[")[1].split(separator: "]")[0]
                found += names.split(separator: ",").map { String($0.dropFirst().dropLast()) }
                next = page.headers[.link].map { String($0.dropFirst().prefix { $0 != ">" }) }
            }
            #expect(found == tags.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
            let last = try await registry.send(.get, "/v2/a/tags/list?n=5&last=v9998")
            #expect(last.body == #"{"name":"a","tags":["v9999"]}"# && last.headers[.link] == nil)
        }
    }
}
