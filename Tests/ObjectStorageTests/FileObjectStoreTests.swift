import FoundationEssentials
import ObjectStorage
import TestSupport
import Testing

@Suite struct FileObjectStoreTests {
    @Test(arguments: StoreContract.all)
    func keepsTheContract(_ promise: StoreContract) async throws {
        try await withTemporaryDirectory { directory in
            try await promise.check(try await FileObjectStore(directory: directory), StoreContract.prefix())
        }
    }

    @Test func unfinishedFilesAreRemovedAtTheNextStart() async throws {
        try await withTemporaryDirectory { directory in
            _ = try await FileObjectStore(directory: directory)
            try Data([1]).write(to: URL(filePath: "\(directory)/.incoming/left"))
            let store = try await FileObjectStore(directory: directory)
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/.incoming/left"))
            #expect(try await store.listAll(prefix: "") == [])
        }
    }

    @Test func aFailedPutLeavesNoFileBehind() async throws {
        struct Broken: Error {}
        try await withTemporaryDirectory { directory in
            let store = try await FileObjectStore(directory: directory)
            let body = ObjectBody { throw Broken() }
            await #expect(throws: Broken.self) { try await store.put(try ObjectKey("a"), body: body) }
            #expect(try FileManager.default.contentsOfDirectory(atPath: "\(directory)/.incoming") == [])
        }
    }

    @Test func aKeyCannotBeAFolderAsWell() async throws {
        try await withTemporaryDirectory { directory in
            let store = try await FileObjectStore(directory: directory)
            try await store.put(try ObjectKey("a"), bytes: [1])
            let code = await StoreContract.code { try await store.put(try ObjectKey("a/b"), bytes: [2]) }
            #expect(code == .conflict)
            #expect(try await store.read(try ObjectKey("a"), limit: 1) == [1])
        }
    }

    @Test func deletingTheLastObjectRemovesItsFolders() async throws {
        try await withTemporaryDirectory { directory in
            let store = try await FileObjectStore(directory: directory)
            try await store.put(try ObjectKey("home/shop:git-1/tar"), bytes: [1])
            try await store.delete(try ObjectKey("home/shop:git-1/tar"))
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/home"))
        }
    }

    @Test func aSymbolicLinkIsNotFollowed() async throws {
        try await withTemporaryDirectory { directory in
            let store = try await FileObjectStore(directory: "\(directory)/store")
            try Data([1]).write(to: URL(filePath: "\(directory)/outside"))
            try FileManager.default.createSymbolicLink(
                atPath: "\(directory)/store/link", withDestinationPath: "\(directory)/outside")
            let code = await StoreContract.code { _ = try await store.get(try ObjectKey("link")) }
            #expect(code == .failed)
        }
    }

    @Test func filesAreStoredByPath() async throws {
        try await withTemporaryDirectory { directory in
            let store = try await FileObjectStore(directory: "\(directory)/store")
            try Data(repeating: 3, count: 3_000_000).write(to: URL(filePath: "\(directory)/source"))
            #expect(try await store.put(try ObjectKey("copy"), file: "\(directory)/source").size == 3_000_000)
        }
    }
}

@Suite struct ObjectKeyTests {
    @Test(arguments: ["a", "home/shop:git-8f3c2a1b/tar", "ä ö", String(repeating: "k", count: 255)])
    func relativePathsAreKeys(_ text: String) throws {
        #expect(try ObjectKey(text).description == text)
    }

    @Test(arguments: [
        "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", ".incoming/x", "a/.b", "a\0b", "a\nb", "a\\b",
        String(repeating: "k", count: 256), String(repeating: "k/", count: 600) + "k",
    ])
    func pathTricksAreRefused(_ text: String) {
        #expect { try ObjectKey(text) } throws: { ($0 as? ObjectStorageError)?.code == .invalidKey }
    }
}
