import FoundationEssentials
import ObjectStorage
import TestSupport
import Testing

@testable import RegistryService

struct RememberedFilesTests {
    /// A file that was read, dated back so that it may be remembered, and recalled a moment ago.
    private func withKnownFile(
        _ body: (_ remembered: RememberedFiles<[UInt8]>, _ files: FileTree, _ path: String) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory("remembered") { directory in
            let (files, path) = (FileTree(isDurable: false), "\(directory)/file")
            try files.replace(path, with: [1], temporary: "\(directory)/new")
            try FileManager.default.setAttributes(
                [.modificationDate: Date.now.addingTimeInterval(-60)], ofItemAtPath: path)
            let remembered = RememberedFiles<[UInt8]>(limit: 8)
            #expect(try remembered.recall(path, files) == nil)
            #expect(try remembered.value(at: path, files) { try files.read(path, limit: 8) } == [1])
            #expect(try remembered.recall(path, files) == [1])
            #expect(try remembered.recall(path, files) == [1])
            try await body(remembered, files, path)
        }
    }

    @Test func whatTheTreeChangesShowsAtOnce() async throws {
        try await withKnownFile { remembered, files, path in
            try files.remove(path)
            #expect(try remembered.recall(path, files) == nil)
        }
        try await withKnownFile { remembered, files, path in
            try files.replace(path, with: [2], temporary: path + ".new")
            #expect(try remembered.recall(path, files) == nil)
            #expect(try remembered.value(at: path, files) { try files.read(path, limit: 8) } == [2])
        }
    }

    @Test func whatOthersChangeShowsSoon() async throws {
        try await withKnownFile { remembered, files, path in
            try Data([3]).write(to: URL(filePath: path))
            try await eventually("the change shows") { try remembered.recall(path, files) == nil }
            #expect(try remembered.value(at: path, files) { try files.read(path, limit: 8) } == [3])
        }
    }
}
