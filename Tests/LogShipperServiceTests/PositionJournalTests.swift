import FoundationEssentials
import TestSupport
import Testing

@testable import LogShipperService

struct PositionJournalTests {
    private static func position(_ id: String, offset: Int) -> FilePosition {
        FilePosition(id: id, path: "/a/0.log", device: 1, inode: 2, fingerprint: .init([1, 2, 3]), offset: offset)
    }

    @Test func changesAndRemovalsSurvive() async throws {
        try await withTemporaryDirectory { path in
            do {
                let journal = try PositionJournal(directory: path)
                #expect(journal.isFresh)
                try journal.write([Self.position("a", offset: 1), Self.position("b", offset: 2)])
                try journal.write([Self.position("a", offset: 9)], removing: ["b"])
            }
            let again = try PositionJournal(directory: path)
            #expect(!again.isFresh)
            #expect(again.all == [Self.position("a", offset: 9)])
        }
    }

    @Test func lineCutByTheEndOfTheMachineIsLeftOut() async throws {
        try await withTemporaryDirectory { path in
            do {
                let journal = try PositionJournal(directory: path)
                try journal.write([Self.position("a", offset: 1)])
                try journal.write([Self.position("a", offset: 2)])
            }
            let file = path + "/positions.jsonl"
            let content = try #require(FileManager.default.contents(atPath: file))
            try content.dropLast(10).write(to: URL(filePath: file))
            #expect(try PositionJournal(directory: path).all == [Self.position("a", offset: 1)])
        }
    }

    @Test func journalStaysSmallHoweverOftenPositionsChange() async throws {
        try await withTemporaryDirectory { path in
            let journal = try PositionJournal(directory: path)
            let positions = (0..<100).map { Self.position("file\($0)", offset: 0) }
            for _ in 0..<600 { try journal.write(positions) }
            let size = try #require(FileManager.default.contents(atPath: path + "/positions.jsonl")).count
            #expect(size < 9 << 20)
        }
    }

    @Test func fingerprintGrowsWithTheFile() {
        let short = FilePosition.Fingerprint([1, 2, 3])
        #expect(short.matches([1, 2, 3, 4]))
        #expect(!short.matches([1, 2]))
        #expect(!short.matches([1, 2, 4, 4]))
        #expect(FilePosition.Fingerprint([]).matches([5]))
    }
}
