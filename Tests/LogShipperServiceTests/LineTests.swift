import ForwardProtocol
import Testing

@testable import LogShipperService

struct LineTests {
    private static let time = "2024-03-01T10:02:03.000000007Z"

    private static func parse(_ text: String, end: RangeParser.End = .complete, limit: Int = 1000) -> RangeParser {
        RangeParser(Array(text.utf8), end: end, lineLimit: limit)
    }

    private static func texts(_ parser: RangeParser) -> [String] {
        parser.records.map { String(decoding: $0.text, as: UTF8.self) }
    }

    struct Sample: CustomTestStringConvertible {
        let line: String
        let text: String
        var isStderr = false
        var isComplete = true
        var isMalformed = false
        var testDescription: String { line }
    }

    @Test(arguments: [
        Sample(line: "\(time) stdout F hello world", text: "hello world"),
        Sample(line: "\(time) stderr F ", text: "", isStderr: true),
        Sample(line: "\(time) stdout F", text: ""),
        Sample(line: "\(time) stdout F crlf\r", text: "crlf"),
        Sample(line: "\(time) stdout P half", text: "half", isComplete: false),
        Sample(line: "\(time) stdout P:x:y half", text: "half", isComplete: false),
        Sample(line: "2024-03-01T11:02:03+01:00 stdout F  two  spaces ", text: " two  spaces "),
        Sample(line: #"{"log":"docker\n","stream":"stderr","time":"\#(time)"}"#, text: "docker", isStderr: true),
        Sample(line: #"{"log":"half","stream":"stdout","time":"\#(time)"}"#, text: "half", isComplete: false),
        Sample(line: "no log at all", text: "no log at all", isMalformed: true),
        Sample(line: "\(time) stdin F x", text: "\(time) stdin F x", isMalformed: true),
        Sample(line: "\(time) stdout X x", text: "\(time) stdout X x", isMalformed: true),
        Sample(line: "{broken", text: "{broken", isMalformed: true), Sample(line: "", text: "", isMalformed: true),
    ])
    func lineIsUnderstood(_ sample: Sample) {
        let line = LineParser.parse(Array(sample.line.utf8)[...])
        #expect(String(decoding: line.content, as: UTF8.self) == sample.text)
        #expect(line.isStderr == sample.isStderr)
        #expect(line.isComplete == sample.isComplete)
        #expect(line.isMalformed == sample.isMalformed)
    }

    @Test func partsOfBothStreamsAreJoinedEachToItsOwn() {
        let parser = Self.parse(
            """
            \(Self.time) stdout P one-
            2024-03-01T10:02:04Z stderr P err-
            2024-03-01T10:02:05Z stdout F two
            2024-03-01T10:02:06Z stderr F or

            """)
        #expect(Self.texts(parser) == ["one-two", "err-or"])
        #expect(parser.records[0].time == ForwardTime(rfc3339: Self.time))
        #expect(!parser.isWaiting)
    }

    @Test func rangeEndsWhereNothingIsUnfinished() {
        let whole = "\(Self.time) stdout F a\n\(Self.time) stdout F b\n"
        let parser = Self.parse(whole + "\(Self.time) stdout P c\n\(Self.time) stderr F d\n\(Self.time) std")
        #expect(Self.texts(parser) == ["a", "b"])
        #expect(parser.length == whole.utf8.count)
        #expect(parser.isWaiting)
    }

    @Test func forcedEndsCutWhatIsUnfinished() {
        let text = "\(Self.time) stdout P c\n\(Self.time) stderr F d\nrest"
        let atLine = Self.parse(text, end: .lineEnd)
        #expect(Self.texts(atLine) == ["d", "c"])
        #expect(atLine.records[1].isPartial)
        #expect(atLine.length == text.utf8.count - 4)
        let everything = Self.parse(text, end: .everything)
        #expect(everything.records.count == 2 && everything.length == text.utf8.count)
    }

    @Test func longRecordsAreCutAndCounted() {
        let part = "\(Self.time) stdout P \(String(repeating: "x", count: 700))\n"
        let parser = Self.parse(part + part + part + "\(Self.time) stdout F end\n")
        #expect(parser.records.map(\.text.count) == [1000])
        #expect(parser.records[0].isPartial)
        #expect(parser.cutCount == 1)
    }

    @Test func sameRangeGivesTheSameRecordsHoweverItWasFound() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<300 {
            let text = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                [
                    "\(Self.time) stdout F a\n", "\(Self.time) stdout P b\n", "\(Self.time) stderr P c\n",
                    "\(Self.time) stderr F d\n", "junk\n", "\n", #"{"log":"x\n"}"# + "\n", "open end",
                ].randomElement(using: &random) ?? ""
            }.joined()
            for end in [RangeParser.End.complete, .lineEnd, .everything] {
                let first = Self.parse(text, end: end)
                let range = Array(text.utf8.prefix(first.length))
                let second = RangeParser(range, end: .everything, lineLimit: 1000)
                #expect(first.records == second.records)
                #expect(second.length == first.length)
            }
        }
    }

    @Test func randomBytesAreShippedOneWayOrAnother() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            #expect(RangeParser(bytes, end: .everything, lineLimit: 100).length == bytes.count)
        }
    }

    @Test func namesOfLogsAreOrderedByAge() {
        let names = ["1.log", "0.log", "0.log.20240301-100203", "0.log.20240229-100203", "10.log"]
        #expect(names.compactMap(LogFileName.init).count == 5)
        let sorted = names.sorted { left, right in
            guard let left = LogFileName(left), let right = LogFileName(right) else { return false }
            return left < right
        }
        #expect(sorted == ["0.log.20240229-100203", "0.log.20240301-100203", "0.log", "1.log", "10.log"])
    }

    @Test(arguments: ["0.log.20240301.gz", "0.log.tmp", ".log", ".0.log", "metadata.json", "log", "0.log.1.2"])
    func otherFilesAreNoLogs(_ name: String) {
        #expect(LogFileName(name) == nil)
    }
}
