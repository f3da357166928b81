import ForwardProtocol
import FoundationEssentials
import Glibc
import Logging
import NIOCore
import TestSupport
import Testing

@testable import LogShipperService

@Suite(.timeLimit(.minutes(1)))
struct LogTailerTests {
    /// A tailer that looks at everything each time, so that tests need not wait for the kernel's events.
    private static func tailer(
        _ folder: LogFolder, _ change: (inout TailerConfiguration) -> Void = { _ in }
    ) throws -> LogTailer {
        var configuration = TailerConfiguration(logDirectory: folder.pods, stateDirectory: folder.state)
        configuration.rescanInterval = .zero
        change(&configuration)
        let logger = Logger(label: "tailer.tests") { _ in SwiftLogNoOpLogHandler() }
        return try LogTailer(configuration, logger: logger) {}
    }

    /// A tailer as the next process has it: once the one before has let go of the folder.
    private static func next(_ folder: LogFolder) async throws -> LogTailer {
        var found: LogTailer?
        try await eventually {
            found = try Self.tailer(folder)
            return true
        }
        return try #require(found)
    }

    /// The lines of a batch.
    private static func lines(_ batch: LogTailer.Batch) throws -> [String] {
        var decoder = ForwardDecoder()
        decoder.append(batch.message)
        let message = try #require(try decoder.next())
        #expect(message.chunk == batch.id)
        var entries = message.entries
        var lines: [String] = []
        while let entry = try entries.next() { lines.append(try ContainerLogRecord(entry.record).log) }
        return lines
    }

    /// Takes and acknowledges everything there is.
    private static func drain(_ tailer: LogTailer) async throws -> [String] {
        var all: [String] = []
        while true {
            let work = try await tailer.collect()
            guard !work.batches.isEmpty else { return all }
            for batch in work.batches {
                all += try lines(batch)
                #expect(await tailer.acknowledge(batch.id))
            }
        }
    }

    @Test func linesAreGivenOnceAndInOrder() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            let tailer = try Self.tailer(folder)
            try folder.append(["a", "b"])
            #expect(try await Self.drain(tailer) == ["a", "b"])
            try folder.append(["c"])
            #expect(try await Self.drain(tailer) == ["c"])
            #expect(try await Self.drain(tailer).isEmpty)
        }
    }

    @Test func recordsCarryWhereTheyComeFrom() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            let tailer = try Self.tailer(folder)
            try folder.append(raw: "2024-03-01T10:02:03.5Z stderr F \u{FFFD}x\n")
            let batch = try #require(try await tailer.collect().batches.first)
            var decoder = ForwardDecoder()
            decoder.append(batch.message)
            let message = try #require(try decoder.next())
            #expect(message.tag == "app.shop" && message.mode == .packedForward && message.size == 1)
            var entries = message.entries
            let record = try ContainerLogRecord(try #require(try entries.next()).record)
            #expect(
                record
                    == ContainerLogRecord(
                        log: "\u{FFFD}x", stream: "stderr", time: "2024-03-01T10:02:03.500000000Z", namespace: "shop",
                        pod: "shop-web-5f7c9d8b6d-x2x4k", container: "shop-web",
                        labels: ["app": "shop", "type": "web", "version": "v1"]))
        }
    }

    @Test func unansweredRangeIsRepeatedUnchangedAlsoByTheNextProcess() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            try folder.append(["a", "b"])
            var first: LogTailer.Batch?
            do {
                let tailer = try Self.tailer(folder)
                first = try await tailer.collect().batches.first
                try folder.append(["c"])
                #expect(try await tailer.collect().batches.isEmpty)
                await tailer.connectionLost()
                let again = try #require(try await tailer.collect().batches.first)
                #expect(again.id == first?.id && again.isRepeated)
                #expect(try Self.lines(again) == ["a", "b"])
            }
            let next = try await Self.next(folder)
            let again = try #require(try await next.collect().batches.first)
            #expect(again.id == first?.id)
            #expect(again.message == first?.message)
            #expect(await next.acknowledge(again.id))
            #expect(try await Self.drain(next) == ["c"])
        }
    }

    @Test func positionSurvivesTheProcess() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            try folder.append(["a", "b"])
            do { #expect(try await Self.drain(try await Self.next(folder)) == ["a", "b"]) }
            try folder.append(["c"])
            #expect(try await Self.drain(try await Self.next(folder)) == ["c"])
        }
    }

    @Test func secondProcessIsKeptOut() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            let first = try Self.tailer(folder)
            #expect(throws: (any Error).self) { _ = try Self.tailer(folder) }
            _ = try await first.collect()
        }
    }

    // MARK: - Rotation

    @Test func renamedFileIsReadToItsEndBeforeItsSuccessor() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            let tailer = try Self.tailer(folder)
            try folder.append(["a"])
            #expect(try await Self.drain(tailer) == ["a"])
            try folder.append(["b"])
            try folder.rename("0.log", to: "0.log.20240301-100203")
            try folder.append(["c"])
            try folder.append(["late"], to: "0.log.20240301-100203")
            #expect(try await Self.drain(tailer) == ["b", "late", "c"])
        }
    }

    @Test func replacedFileIsReadToItsEndThroughItsDescriptor() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            let tailer = try Self.tailer(folder)
            try folder.append(["a"])
            try await tailer.observe()
            try folder.append(["b"])
            try folder.append(["c"], to: "0.log.tmp")
            try folder.remove("0.log")
            try folder.rename("0.log.tmp", to: "0.log")
            #expect(try await Self.drain(tailer) == ["a", "b", "c"])
        }
    }

    @Test func filesRotatedWhileTheShipperWasAwayAreReadInOrder() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            try folder.append(["1"])
            do { #expect(try await Self.drain(try await Self.next(folder)) == ["1"]) }
            try folder.append(["2"])
            try folder.rename("0.log", to: "0.log.20240301-100203")
            try folder.append(["3"])
            try folder.rename("0.log", to: "0.log.20240301-100204")
            try folder.append(["4"])
            #expect(try await Self.drain(try await Self.next(folder)) == ["2", "3", "4"])
        }
    }

    @Test func removedFileIsForgottenOnceDelivered() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            let tailer = try Self.tailer(folder) { $0.partialTimeout = .zero }
            try folder.append(["a"])
            try await tailer.observe()
            try folder.remove("0.log")
            #expect(try await Self.drain(tailer) == ["a"])
            #expect(try await tailer.collect().batches.isEmpty)
            #expect(try await tailer.status().files == 0)
        }
    }

    @Test func truncatedFileIsReadFromItsBeginning() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            let tailer = try Self.tailer(folder)
            try folder.append(["a", "b"])
            #expect(try await Self.drain(tailer) == ["a", "b"])
            truncate(folder.path("0.log"), 0)
            try folder.append(raw: "2025-03-01T10:02:03Z stdout F c\n")
            // The first look finds out, the next reads.
            var lines = try await Self.drain(tailer)
            lines += try await Self.drain(tailer)
            #expect(lines == ["c"])
        }
    }

    // MARK: - Unfinished records

    @Test func unfinishedRecordIsWaitedFor() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            let tailer = try Self.tailer(folder)
            try folder.append(["a"])
            try folder.append(raw: "2024-03-01T10:02:03Z stdout P half-\n2024-03-01T10:02:03Z std")
            #expect(try await Self.drain(tailer) == ["a"])
            try folder.append(raw: "out F whole\n")
            #expect(try await Self.drain(tailer) == ["half-whole"])
        }
    }

    @Test func endThatNeverComesIsNotWaitedForWithoutLimit() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            let tailer = try Self.tailer(folder) { $0.partialTimeout = .zero }
            try folder.append(raw: "2024-03-01T10:02:03Z stdout P half\n")
            #expect(try await Self.drain(tailer) == ["half"])
        }
    }

    @Test func fileLargerThanABatchIsGivenInPieces() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            let tailer = try Self.tailer(folder) { $0.batchBytes = 1000 }
            let texts = (0..<500).map { "line \($0)" }
            try folder.append(texts)
            #expect(try await Self.drain(tailer) == texts)
        }
    }

    @Test func lineLongerThanABatchIsShippedInPieces() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            let tailer = try Self.tailer(folder) {
                $0.batchBytes = 1000
                $0.lineLimit = 500
            }
            try folder.append(raw: "2024-03-01T10:02:03Z stdout F " + String(repeating: "x", count: 2500) + "\n")
            try folder.append(["after"])
            let lines = try await Self.drain(tailer)
            #expect(lines.count == 4 && lines.last == "after")
            #expect(lines.allSatisfy { $0.utf8.count <= 500 })
        }
    }

    // MARK: - Bounds

    @Test func bytesOnTheirWayAreBoundedAndNobodyStarves() async throws {
        try await withTemporaryDirectory { root in
            let noisy = try LogFolder(root)
            let quiet = try LogFolder(root, app: "quiet")
            let tailer = try Self.tailer(noisy) {
                $0.batchBytes = 1000
                $0.inFlightBytes = 1000
            }
            try noisy.append((0..<1000).map { "noise \($0)" })
            try quiet.append(["still here"])
            var seen: [String] = []
            for _ in 0..<6 {
                let work = try await tailer.collect()
                #expect(work.batches.reduce(0) { $0 + $1.byteCount } <= 2000)
                for batch in work.batches {
                    seen += try Self.lines(batch)
                    _ = await tailer.acknowledge(batch.id)
                }
            }
            #expect(seen.contains("still here"))
        }
    }

    @Test func firstStartMaySkipWhatIsThere() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            try folder.append(["old"])
            let tailer = try Self.tailer(folder) { $0.readFrom = .end }
            #expect(try await Self.drain(tailer).isEmpty)
            try folder.append(["new"])
            try folder.append(["fresh"], to: "1.log")
            #expect(try await Self.drain(tailer) == ["new", "fresh"])
        }
    }

    @Test func fileOfNobodyWaitsForItsMetadata() async throws {
        try await withTemporaryDirectory { root in
            let folder = try LogFolder(root)
            let tailer = try Self.tailer(folder)
            let inner = folder.pods + "/unnamed/box"
            try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: true)
            try Data("2024-03-01T10:02:03Z stdout F early\n".utf8).write(to: URL(filePath: inner + "/0.log"))
            #expect(try await Self.drain(tailer).isEmpty)
            #expect(try await tailer.status().filesWithoutOrigin == 1)
            try Data(#"{"app":"later"}"#.utf8).write(to: URL(filePath: folder.pods + "/unnamed/metadata.json"))
            #expect(try await Self.drain(tailer) == ["early"])
        }
    }
}
