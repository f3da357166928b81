import TestSupport
import Testing

@testable import ObjectStorage

@Suite(.timeLimit(.minutes(1)))
struct FileTreeTests {
    /// Somebody else takes the folders away all the time, as long as they are empty.
    @Test(arguments: [false, true])
    func filesAppearWhereEmptyFoldersVanish(_ isDurable: Bool) async throws {
        try await withTemporaryDirectory("tree") { root in
            let files = FileTree(isDurable: isDurable)
            let removing = Task {
                while !Task.isCancelled {
                    for folder in ["a/b/c", "a/b", "a"] { try files.removeEmptyDirectory("\(root)/\(folder)") }
                    await Task.yield()
                }
            }
            for number in 0..<(isDurable ? 20 : 200) {
                let path = "\(root)/a/b/c/file"
                let bytes = Array("\(number)".utf8)
                try files.replace(path, with: bytes, temporary: "\(root)/temporary")
                #expect(try files.read(path, limit: 100) == bytes)
                #expect(try files.remove(path))
            }
            removing.cancel()
            try await removing.value
        }
    }

    @Test func aFileWhereAFolderIsNeededIsAFailure() async throws {
        try await withTemporaryDirectory("tree") { root in
            let files = FileTree(isDurable: false)
            try files.replace("\(root)/a", with: [1], temporary: "\(root)/temporary")
            #expect(throws: FileFailure.self) { try files.makeDirectory("\(root)/a") }
            #expect(throws: FileFailure.self) {
                try files.replace("\(root)/a/b/c", with: [1], temporary: "\(root)/temporary")
            }
            #expect(throws: FileFailure.self) { try files.move("\(root)/missing", to: "\(root)/b/c") }
        }
    }
}
