import ForwardProtocol
import Testing

@testable import LoggerService

@Suite(.timeLimit(.minutes(1)))
struct LogStoreTests {
    private let shop = Sample.app("shop")

    @Test func newestLinesAreKeptExactly() async throws {
        let store = LogStore(limits: .init(linesPerApp: 100))
        for number in 0..<1234 { _ = try await store.ingest(Sample.batch(["\(number)"])) }
        let lines = try #require(await store.lines(of: shop, LogQuery(lines: 1000)))
        #expect(lines.map(\.line.text) == (1134..<1234).map(String.init))
        #expect(lines.map(\.sequence) == Array(1135...1234))
    }

    @Test func ringHoldsTheLastAcceptedLinesWhateverTheirSizes() async throws {
        var random = SystemRandomNumberGenerator()
        let limits = StoreLimits(linesPerApp: 300, bytesPerApp: 20_000)
        let store = LogStore(limits: limits)
        var accepted: [String] = []
        for round in 0..<200 {
            let texts = (0..<Int.random(in: 1...9, using: &random)).map { index in
                "\(round).\(index)" + String(repeating: "x", count: Int.random(in: 0...400, using: &random))
            }
            accepted += texts
            _ = try await store.ingest(Sample.batch(texts))
        }
        let kept = try #require(await store.lines(of: shop, LogQuery(lines: .max))).map(\.line.text)
        #expect(kept.count <= 300)
        #expect(kept == Array(accepted.suffix(kept.count)))
        let bytes = kept.reduce(0) { $0 + $1.utf8.count + LogSegment.lineOverhead }
        #expect(bytes <= 20_000)
        let next = accepted[accepted.count - kept.count - 1]
        #expect(kept.count == 300 || bytes + next.utf8.count + LogSegment.lineOverhead > 20_000)
    }

    @Test func largestAppGivesWayWhenMemoryIsFull() async throws {
        let store = LogStore(limits: .init(linesPerApp: 1_000_000, bytesPerApp: 1 << 30, bytes: 1 << 20))
        _ = try await store.ingest(Sample.batch(["small"], app: "quiet"))
        for _ in 0..<100 {
            _ = try await store.ingest(Sample.batch([String](repeating: "noise", count: 1000), app: "noisy"))
        }
        #expect(await store.lines(of: Sample.app("quiet"), LogQuery(lines: 10))?.count == 1)
        let noisy = try #require(await store.lines(of: Sample.app("noisy"), LogQuery(lines: .max)))
        #expect(noisy.count < 50_000 && noisy.count > 10_000)
    }

    @Test func zeroLinesAreNone() async throws {
        let store = LogStore()
        _ = try await store.ingest(Sample.batch(["a"]))
        #expect(await store.lines(of: shop, LogQuery(lines: 0)) == [])
        #expect(await store.lines(of: Sample.app("other"), LogQuery(lines: 0)) == nil)
    }

    @Test func batchSentTwiceIsStoredOnce() async throws {
        let store = LogStore(limits: .init(chunks: 2))
        #expect(try await store.ingest(Sample.batch(["a"], chunk: "1")) == .stored)
        #expect(try await store.ingest(Sample.batch(["a"], chunk: "1")) == .duplicate)
        #expect(try await store.ingest(Sample.batch(["b"], chunk: "2")) == .stored)
        #expect(try await store.ingest(Sample.batch(["c"], chunk: "3")) == .stored)
        #expect(try await store.ingest(Sample.batch(["a"], chunk: "1")) == .stored)
        #expect(await store.lines(of: shop, LogQuery(lines: 10))?.map(\.line.text) == ["a", "b", "c", "a"])
    }

    @Test func filtersSelectLines() async throws {
        let store = LogStore()
        var batch = IngestBatch(chunk: nil)
        for number in 0..<10 {
            let source = LogSource(
                type: number % 2 == 0 ? "web" : "worker", version: "v1", pod: "shop-web-abc-p\(number)", container: "c")
            let line = IncomingLine(
                time: .init(seconds: Int64(number), nanoseconds: 0), stream: number < 5 ? .stdout : .stderr,
                text: "\(number)")
            batch.append(line, app: shop, source: source)
        }
        _ = try await store.ingest(batch)
        func texts(_ change: (inout LogFilter) -> Void) async -> [String] {
            var query = LogQuery(lines: 100)
            change(&query.filter)
            return await store.lines(of: shop, query)?.map(\.line.text) ?? []
        }
        #expect(await texts { $0.types = ["web"] } == ["0", "2", "4", "6", "8"])
        #expect(await texts { $0.stream = .stderr } == ["5", "6", "7", "8", "9"])
        #expect(await texts { $0.pod = "p3" } == ["3"])
        #expect(await texts { $0.pod = "shop-web-abc-p4" } == ["4"])
        #expect(await texts { $0.since = .init(seconds: 7, nanoseconds: 0) } == ["7", "8", "9"])
        #expect(await texts { $0.until = .init(seconds: 1, nanoseconds: 0) } == ["0", "1"])
    }

    @Test func followerStartedUnderHeavyWritesMissesNothingAndGetsNothingTwice() async throws {
        let store = LogStore(limits: .init(linesPerApp: 100_000))
        let app = shop
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<4 {
                group.addTask {
                    for number in 0..<500 { _ = try await store.ingest(Sample.batch(["\(writer) \(number)"])) }
                }
            }
            for _ in 0..<5 {
                group.addTask {
                    let (backlog, id, follower) = try await store.follow(app, LogQuery(lines: .max))
                    var sequences = backlog.map(\.sequence)
                    while sequences.last ?? 0 < 2000, let event = await follower.next() {
                        if case .lines(let lines) = event { sequences += lines.map(\.sequence) }
                    }
                    #expect(sequences == Array(1...2000))
                    await store.unfollow(app, id)
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func slowFollowerIsToldHowMuchItMissed() async throws {
        let follower = Follower(filter: LogFilter(), lineLimit: 10)
        let lines = (1...25).map { Sample.line(UInt64($0), "\($0)") }
        #expect(follower.offer(Array(lines[..<8])) == 0)
        #expect(follower.offer(Array(lines[8...])) == 15)
        #expect(await follower.next() == .dropped(15))
        #expect(await follower.next() == .lines(Array(lines[15...])))
        follower.beat()
        #expect(await follower.next() == .heartbeat)
        follower.finish()
        #expect(await follower.next() == nil)
    }

    @Test func followerIsBoundedByBytesToo() async throws {
        let follower = Follower(filter: LogFilter(), byteLimit: 1000)
        let lines = (1...5).map { Sample.line(UInt64($0), String(repeating: "x", count: 400)) }
        follower.offer(lines)
        #expect(await follower.next() == .dropped(3))
        #expect(await follower.next() == .lines(Array(lines[3...])))
    }

    @Test func removalEndsStreamsAndForgetsLines() async throws {
        let store = LogStore()
        _ = try await store.ingest(Sample.batch(["a"]))
        let (_, _, follower) = try await store.follow(shop, LogQuery(lines: 1))
        try await store.remove(shop)
        #expect(await follower.next() == nil)
        #expect(await store.lines(of: shop, LogQuery(lines: 1)) == nil)
    }

    @Test func followersAreBounded() async throws {
        let store = LogStore(limits: .init(followers: 1))
        let (_, id, _) = try await store.follow(shop, LogQuery(lines: 1))
        await #expect(throws: LogStore.TooManyFollowers.self) { _ = try await store.follow(shop, LogQuery(lines: 1)) }
        await store.unfollow(shop, id)
        _ = try await store.follow(shop, LogQuery(lines: 1))
    }
}

/// Values the suites share.
enum Sample {
    static func app(_ text: String) -> AppKey {
        do { return try AppKey(text) } catch { preconditionFailure("\(text): \(error)") }
    }

    static func line(_ sequence: UInt64, _ text: String) -> LogLine {
        LogLine(
            sequence: sequence, source: LogSource(type: "web"),
            line: IncomingLine(time: .init(seconds: 0, nanoseconds: 0), text: text))
    }

    static func batch(_ texts: [String], app: String = "shop", chunk: String? = nil) -> IngestBatch {
        var batch = IngestBatch(chunk: chunk)
        let source = LogSource(type: "web", version: "v3", pod: "\(app)-web-5f7c9d8b6d-x2x4k", container: "\(app)-web")
        for text in texts {
            batch.append(
                IncomingLine(time: .init(seconds: 1_709_287_323, nanoseconds: 5), text: text), app: Sample.app(app),
                source: source)
        }
        return batch
    }
}
