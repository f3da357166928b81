import CurlTransfer
import Foundation
import HTTPTypes
import OCIRegistry
import TestSupport
import Testing

@testable import RegistryService

/// Lists (end-1, 8, catalog) and refusals of the specification on every kind of storage.
@Suite(.timeLimit(.minutes(2)))
struct ListConformanceTests {
    @Test(arguments: StorageKind.available)
    func tagsComeInByteOrderAndInPages(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            let path = "/v2/team/app/tags/list"
            try await registry.expect(404, "NAME_UNKNOWN", .get(path))
            try await registry.expect(404, .head(path))
            let sample = ContentSample.plain
            try await registry.push(sample, to: "team/app")
            #expect(try await registry.list(path).isEmpty)
            let tags = ["0", "10", "9", "A", "Z", "_x", "a", "a-b", "a.b", "a1", "b", "v1.0"]
            for tag in tags.reversed() {
                try await registry.expect(201, ConformanceRegistry.put(sample, to: "team/app", as: tag))
            }
            let sorted = tags.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            let whole = try await registry.expect(200, .get(path))
            #expect(whole.names == sorted && whole.next == nil)
            #expect(try await registry.expect(200, .head(path)).headers[.contentLength] == "\(whole.body.count)")
            for size in [1, 5, sorted.count, sorted.count + 1] {
                try await Self.follow(path, size, sorted, registry)
            }
            for (query, expected) in [
                ("n=0", []), ("n=0&last=a", []), ("last=a", Array(sorted.drop { $0 != "a" }.dropFirst())),
                // What follows a tag that is not there.
                ("last=a0", ["a1", "b", "v1.0"]), ("last=v1.0", []), ("n=2&last=Z", ["_x", "a"]),
                ("last=~", []), ("n=3&last=", Array(sorted.prefix(3))),
            ] {
                #expect(try await registry.list("\(path)?\(query)") == expected, "\(query)")
            }
            #expect(try await registry.expect(200, .get("\(path)?n=0")).next == nil)
            for number in ["x", "-1", "1.5", "99999999999999999999"] {
                try await registry.expect(400, "PAGINATION_NUMBER_INVALID", .get("\(path)?n=\(number)"))
            }
        }
    }

    @Test(arguments: StorageKind.available)
    func theCatalogComesInByteOrderAndInPages(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            #expect(try await registry.list("/v2/_catalog").isEmpty)
            let names = ["a", "a-b", "a/b", "a/b/c", "a.b", "a0", "b__c", "team/app"]
            for name in names.reversed() { try await registry.push([1], to: name) }
            let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
            #expect(try await registry.list("/v2/_catalog") == sorted)
            for size in [1, 3, names.count] { try await Self.follow("/v2/_catalog", size, sorted, registry) }
            #expect(try await registry.list("/v2/_catalog?n=2&last=a/b") == ["a/b/c", "a0"])
            try await registry.expect(400, "PAGINATION_NUMBER_INVALID", .get("/v2/_catalog?n=x"))
        }
    }

    /// Goes through the pages of a list as clients do.
    private static func follow(
        _ path: String, _ size: Int, _ expected: [String], _ registry: ConformanceRegistry
    ) async throws {
        var found: [String] = []
        var next: String? = "\(path)?n=\(size)"
        while let page = next {
            let reply = try await registry.expect(200, .get(page))
            try #require(!reply.names.isEmpty && reply.names.count <= size, "\(page)")
            found += reply.names
            next = reply.next
        }
        #expect(found == expected, "by \(size)")
    }

    @Test(arguments: StorageKind.available)
    func whatIsMissingOrMalformedHasItsCode(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            #expect(try await registry.expect(200, .get("/v2/")).text == "{}")
            try await registry.expect(200, .head("/v2/"))
            try await registry.push(ContentSample.plain, to: "a", tag: "v1")
            for digest in [ImageDigest(of: [9]), ImageDigest(of: [9], algorithm: .sha512)] {
                for name in ["a", "nobody/nothing"] {
                    for call in [Call.get("/v2/\(name)/blobs/\(digest)"), .delete("/v2/\(name)/blobs/\(digest)")] {
                        try await registry.expect(404, "BLOB_UNKNOWN", call)
                    }
                    let path = "/v2/\(name)/manifests/\(digest)"
                    for call in [Call.get(path), .delete(path), .get("/v2/\(name)/manifests/none")] {
                        try await registry.expect(404, "MANIFEST_UNKNOWN", call)
                    }
                }
            }
            try await Self.refusals(registry)
        }
    }

    private static func refusals(_ registry: ConformanceRegistry) async throws {
        let hexadecimal = String(repeating: "a", count: 64)
        for digest in [
            "sha256:totallywrong", "sha256:\(hexadecimal.uppercased())", "sha256:\(hexadecimal)a",
            "sha512:\(hexadecimal)",
            "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:", ":\(hexadecimal)",
        ] {
            let location = try await registry.begin(in: "a")
            for call in [
                Call.get("/v2/a/blobs/\(digest)"), .delete("/v2/a/blobs/\(digest)"),
                .get("/v2/a/referrers/\(digest)"), .get("/v2/a/manifests/\(digest)"),
                .post("/v2/a/blobs/uploads/?digest=\(digest)", body: .bytes([1])),
                .put("\(location)?digest=\(digest)"), .put("/v2/a/manifests/\(digest)", body: .bytes([1])),
            ] {
                try await registry.expect(400, "DIGEST_INVALID", call)
            }
            try await registry.expect(400, .head("/v2/a/blobs/\(digest)"))
            try await registry.expect(204, .delete(location))
        }
        try await registry.expect(400, "DIGEST_INVALID", .post("/v2/a/blobs/uploads/?digest-algorithm=md5"))
        for name in ["A", "a//b", "-a", "a/_b", "a___b", "a..b"] {
            try await registry.expect(400, "NAME_INVALID", .get("/v2/\(name)/tags/list"))
            try await registry.expect(400, "NAME_INVALID", .post("/v2/\(name)/blobs/uploads/"))
        }
        for call in [
            Call.put("/v2/a/tags/list"), .post("/v2/a/manifests/v1"), .delete("/v2/_catalog"), .delete("/v2/"),
            .get("/v2/a/blobs/uploads/"), .post("/v2/a/blobs/\(ImageDigest(of: [9]))"),
        ] {
            let reply = try await registry.expect(405, "UNSUPPORTED", call)
            #expect(reply.headers[.allow] != nil, "\(call)")
        }
        for path in ["/v2/a", "/v2/a/b/c", "/v2/a/tags", "/v2/a/manifests/"] {
            #expect(try await registry.expect(404, .get(path)).code != nil)
        }
    }
}
