import Foundation
import FoundationNetworking
import TestSupport
import Testing

/// The shipped executables, killed at any moment: every line arrives, and none twice.
@Suite(.timeLimit(.minutes(2)))
struct CrashTests {
    /// Logger and shipper on free ports with their state below one folder.
    private struct Pair {
        let folder: LogFolder
        private let ports: (http: Int, forward: Int, metrics: Int)

        init(_ root: String) throws {
            folder = try LogFolder(root)
            ports = (try freePort(), try freePort(), try freePort())
        }

        func startLogger() throws -> ServerProcess {
            try ServerProcess(
                "logger",
                environment: [
                    "LOGGER_AUTH": "none", "LOGGER_LISTEN": "127.0.0.1:\(ports.http)",
                    "LOGGER_FORWARD_LISTEN": "127.0.0.1:\(ports.forward)", "LOGGER_LINES_PER_APP": "1000000",
                    "LOGGER_MAXIMUM_LINES": "1000000", "LOGGER_BYTES_PER_APP": "1000000000",
                    "LOGGER_SPOOL_DIRECTORY": folder.root + "/spool",
                ], log: folder.root + "/logger.log")
        }

        func startShipper() throws -> ServerProcess {
            try ServerProcess(
                "fluentd-shipper",
                environment: [
                    "SHIPPER_LOG_DIRECTORY": folder.pods, "SHIPPER_STATE_DIRECTORY": folder.state,
                    "LOGGER_FORWARD_ADDRESS": "127.0.0.1:\(ports.forward)",
                    "SHIPPER_METRICS_LISTEN": "127.0.0.1:\(ports.metrics)", "SHIPPER_BATCH_BYTES": "65536",
                ], log: folder.root + "/shipper.log")
        }

        /// The texts the logger has.
        func texts(newest: Int = 1_000_000) async throws -> [Int] {
            guard let url = URL(string: "http://127.0.0.1:\(ports.http)/logs/shop?log_lines=\(newest)") else {
                return []
            }
            let data = try await URLSession.shared.data(from: url).0
            return data.split(separator: UInt8(ascii: "\n")).compactMap { line in
                Int(String(decoding: line, as: UTF8.self).split(separator: " ").last ?? "")
            }
        }
    }

    @Test func nothingIsLostOrDoubledWhenBothAreKilledAtAnyMoment() async throws {
        try await withTemporaryDirectory("crash") { root in
            let pair = try Pair(root)
            let count = 8_000
            var logger = try pair.startLogger()
            var shipper = try pair.startShipper()
            var random = SystemRandomNumberGenerator()
            var written = 0
            while written < count {
                let next = min(count, written + Int.random(in: 100...900, using: &random))
                try pair.folder.append((written..<next).map(String.init))
                written = next
                switch Int.random(in: 0..<5, using: &random) {
                case 0:
                    shipper.kill()
                    shipper = try pair.startShipper()
                case 1:
                    logger.kill()
                    logger = try pair.startLogger()
                case 2:
                    // The runtime rotates.
                    try pair.folder.rename("0.log", to: "0.log.\(10_000_000 + written)")
                default:
                    // Some moments lie within a delivery.
                    let seen = written
                    try await eventually(within: .milliseconds(Int64.random(in: 1...200, using: &random)), orNot: ()) {
                        try await pair.texts().count >= seen
                    }
                }
            }
            try await eventually(within: .seconds(30), "the last line") { try await pair.texts().count >= count }
            #expect(try await pair.texts() == Array(0..<count))
            #expect(shipper.stop() == 0)
            #expect(logger.stop() == 0)
        }
    }

    @Test func loggerThatIsAwayLosesNothing() async throws {
        try await withTemporaryDirectory("away") { root in
            let pair = try Pair(root)
            let shipper = try pair.startShipper()
            try pair.folder.append((0..<1000).map(String.init))
            try await eventually { FileManager.default.fileExists(atPath: pair.folder.state + "/positions.jsonl") }
            try pair.folder.rename("0.log", to: "0.log.1")
            try pair.folder.append((1000..<2000).map(String.init))
            let logger = try pair.startLogger()
            try await eventually(within: .seconds(20), "the last line") { try await pair.texts().count >= 2000 }
            #expect(try await pair.texts() == Array(0..<2000))
            #expect(shipper.stop() == 0)
            #expect(logger.stop() == 0)
        }
    }

    @Test func fiftyThousandLinesArriveInOrder() async throws {
        try await withTemporaryDirectory("many") { root in
            let pair = try Pair(root)
            let logger = try pair.startLogger()
            let shipper = try pair.startShipper()
            for start in stride(from: 0, to: 50_000, by: 5000) {
                try pair.folder.append((start..<start + 5000).map(String.init))
            }
            try await eventually(within: .seconds(90), "the last line") {
                try await pair.texts(newest: 1).last == 49_999
            }
            #expect(try await pair.texts() == Array(0..<50_000))
            shipper.kill()
            logger.kill()
        }
    }
}

/// Waits for a condition a while and goes on in any case: for moments, not for outcomes.
private func eventually(
    within limit: Duration, orNot: Void, condition: @escaping () async throws -> Bool
) async throws {
    do {
        try await eventually(within: limit, condition: condition)
    } catch is NeverHappened {
        // That moment, then.
    }
}
