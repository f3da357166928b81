import FoundationEssentials
import TestSupport
import Testing

@testable import LogShipperService

struct LogOriginTests {
    private static func origin(_ folder: String, metadata: String?, in root: String) throws -> LogOrigin? {
        let container = root + "/" + folder
        try FileManager.default.createDirectory(atPath: container, withIntermediateDirectories: true)
        if let metadata {
            let pod = folder.split(separator: "/").first.map(String.init) ?? ""
            try Data(metadata.utf8).write(to: URL(filePath: root + "/" + pod + "/metadata.json"))
        }
        return LogOrigin(file: container + "/0.log", root: root)
    }

    @Test func metadataSaysWhoseLogItIs() async throws {
        try await withTemporaryDirectory { root in
            let origin = try #require(
                try Self.origin(
                    "shop_shop-web-5f7c9d8b6d-x2x4k_1/shop-web",
                    metadata:
                        #"{"app":"shop","namespace":"shop","pod":"p","type":"web","version":"v43","container":"c"}"#,
                    in: root))
            #expect(origin.namespace == "shop" && origin.pod == "p" && origin.container == "c")
            #expect(origin.labels == ["app": "shop", "type": "web", "version": "v43"])
        }
    }

    @Test(arguments: [nil, "{half", "[]"])
    func namesOfFoldersSayItToo(_ metadata: String?) async throws {
        try await withTemporaryDirectory { root in
            let origin = try #require(
                try Self.origin("my-shop_my-shop-web-x-5f7c9d8b6d-x2x4k_uid/box", metadata: metadata, in: root))
            #expect(origin.namespace == "my-shop" && origin.pod == "my-shop-web-x-5f7c9d8b6d-x2x4k")
            #expect(origin.container == "box")
            #expect(origin.labels == ["app": "my-shop", "type": "web-x"])
        }
    }

    @Test func otherFoldersSayNothing() async throws {
        try await withTemporaryDirectory { root in
            let origin = try Self.origin("somewhere/else", metadata: nil, in: root)
            #expect(origin == nil)
        }
    }

    @Test func metadataAboveTheRootIsNotRead() async throws {
        try await withTemporaryDirectory { root in
            try Data(#"{"app":"evil"}"#.utf8).write(to: URL(filePath: root + "/metadata.json"))
            #expect(try Self.origin("pods/inner", metadata: nil, in: root) != nil)
            #expect(LogOrigin(file: root + "/pods/inner/0.log", root: root + "/pods") == nil)
        }
    }
}
