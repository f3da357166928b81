import CurlTransfer
import HTTPTypes
import OCIRegistry
import TestSupport
import Testing

@testable import RegistryService

/// Fifty clients that push at the same moment, in every way, what they partly share.
@Suite(.timeLimit(.minutes(2)))
struct ManyPushersTests {
    private static let pushers = 50
    private static let shared = (0..<5).map { [UInt8].sample(30_000 + $0, seed: $0) }

    @Test(arguments: StorageKind.available)
    func allOfThemEndAndNothingIsMixedUp(_ kind: StorageKind) async throws {
        try await ConformanceRegistry.run(on: kind) { registry in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<Self.pushers { group.addTask { try await Self.push(number, registry) } }
                try await group.waitForAll()
            }
            // Some of them wrote the same tag: one of their images is what it names.
            for number in 0..<Self.pushers {
                let images = (0..<Self.pushers).filter { $0 % 5 == number % 5 }.map(Self.manifest)
                let name = "team/app\(number % 5)"
                let reply = try await registry.expect(200, .get("/v2/\(name)/manifests/latest"))
                #expect(images.contains { Array($0.utf8) == reply.body })
                let own = Array(Self.manifest(number).utf8)
                let path = "/v2/\(name)/manifests/\(ImageDigest(of: own))"
                #expect(try await registry.expect(200, .get(path)).body == own)
                let layer = Self.own(number)
                let found = try await registry.expect(200, .get("/v2/\(name)/blobs/\(ImageDigest(of: layer))"))
                #expect(found.body == layer)
            }
            let names = (0..<5).map { "team/app\($0)" }
            for name in names {
                for layer in Self.shared {
                    let path = "/v2/\(name)/blobs/\(ImageDigest(of: layer))"
                    #expect(try await registry.expect(200, .get(path)).body == layer)
                }
            }
            #expect(try await registry.list("/v2/_catalog").filter { !$0.hasSuffix("/source") } == names)
        }
    }

    /// The layer only this pusher has.
    private static func own(_ number: Int) -> [UInt8] { .sample(1 << (number % 17), seed: 1000 + number) }

    private static func layers(_ number: Int) -> [[UInt8]] {
        [shared[number % 3], shared[3 + number % 2], own(number)]
    }

    private static func manifest(_ number: Int) -> String {
        let descriptors = layers(number).map {
            ContentSample.descriptor(OCIRegistry.MediaType.ociLayer.rawValue, ImageDigest(of: $0), $0.count)
        }
        return """
            {"schemaVersion":2,"config":\(descriptors[2]),"layers":[\(descriptors.joined(separator: ","))]}
            """
    }

    private static func push(_ number: Int, _ registry: ConformanceRegistry) async throws {
        let name = "team/app\(number % 5)"
        for (index, layer) in layers(number).enumerated() {
            // What is too short for the ways that cut it goes in one piece.
            let ways = layer.count < 8 ? [.singlePost, .postThenPut, .mount] : PushWay.allCases
            let way = ways[(number + index) % ways.count]
            _ = try await way.push(layer, as: ImageDigest(of: layer), to: name, of: registry)
        }
        let headers = OCIRegistry.MediaType.ociManifest.rawValue
        let bytes = Array(manifest(number).utf8)
        for reference in ["\(ImageDigest(of: bytes))", "latest"] {
            try await registry.expect(
                201, .put("/v2/\(name)/manifests/\(reference)", [.contentType: headers], body: .bytes(bytes)))
        }
    }
}
