import ForwardProtocol
import NIOCore
import PlatformModel
import ServiceRuntime
import Testing

@testable import LoggerService

struct LineRulesTests {
    @Test func lineIsWrittenAsTheCommandLineExpects() throws {
        let renderer = LogRenderer(app: Sample.app("myapp"), format: .text)
        let time = ForwardTime(seconds: 1_709_287_323, nanoseconds: 999)
        let event = LogLine(
            sequence: 1, source: LogSource(label: "drycc[controller]"),
            line: IncomingLine(time: time, text: "INFO config myapp-abc updated"))
        let request = LogLine(
            sequence: 2, source: LogSource(type: "web", version: "v3", pod: "myapp-web-5f7c9d8b6d-7q2xk"),
            line: IncomingLine(time: time, text: "10.0.0.4 GET / 200"))
        #expect(
            String(buffer: try renderer.render([event, request])) == """
                2024-03-01T10:02:03+00:00 drycc[controller]: INFO config myapp-abc updated
                2024-03-01T10:02:03+00:00 myapp[web.v3.7q2xk]: 10.0.0.4 GET / 200

                """)
    }

    @Test(arguments: [
        ("shop-web-5f7c9d8b6d-x2x4k", "x2x4k"), ("a-b-c", "a-b-c"), ("pod", "pod"), ("", ""), ("----", "----"),
        ("a-b-c-", "a-b-c-"),
    ])
    func podSuffixNeedsFourParts(_ pod: String, _ suffix: String) {
        #expect(LogSource(pod: pod).podSuffix == suffix)
    }

    @Test func missingPartsAreLeftOut() {
        #expect(LogSource(type: "web", pod: "p").title(of: Sample.app("shop")) == "shop[web.p]")
        #expect(LogSource().title(of: Sample.app("shop")) == "shop[]")
    }

    @Test(arguments: ["", "-a", "a-", "Shop", "a/b", "../x", "a.b", "ä", String(repeating: "a", count: 64), "a\u{0}"])
    func otherNamesAreNoApps(_ text: String) {
        #expect(throws: InvalidValue.self) { try AppKey(text) }
    }

    @Test(arguments: [
        ("text\n", "text"), ("text\r\n", "text"), ("", ""), ("\n", ""), ("a\nb\n", "a\\nb"), ("a\r\nb", "a\r\\nb"),
        ("nul\u{0}", "nul\u{0}"),
    ])
    func textFitsOneLine(_ raw: String, _ clean: String) {
        #expect(LineText.clean(raw) == clean)
    }

    @Test func longTextIsCutBetweenCharacters() {
        let text = LineText.clean(String(repeating: "ä", count: LineText.limit))
        #expect(text.hasSuffix("ä" + LineText.mark))
        #expect(text.utf8.count <= LineText.limit + LineText.mark.utf8.count)
    }

    @Test func labelOfAnotherAppIsNotBelieved() {
        var builder = PackedForwardBuilder()
        let record = ContainerLogRecord(
            log: "x", stream: "stdout", time: "", namespace: "mine", pod: "", container: "", labels: ["app": "theirs"])
        builder.append(.init(seconds: 5, nanoseconds: 0), record)
        var decoder = ForwardDecoder()
        decoder.append(builder.message(tag: "app.theirs", chunk: "1"))
        let message = (try? decoder.next()).flatMap(\.self)
        let result = message.map { ForwardIngest.batch(of: $0) }
        #expect(result?.batch.runs.map(\.app.text) == ["mine"])
        #expect(result?.batch.runs.first?.lines.first?.time.seconds == 5)
    }

    @Test func eventsWithoutAUsableAppAreCounted() throws {
        var builder = PackedForwardBuilder()
        for namespace in ["", "../etc", "good", "Bad"] {
            builder.append(
                .init(seconds: 5, nanoseconds: 0),
                ContainerLogRecord(log: "x", stream: "", time: "", namespace: namespace, pod: "", container: ""))
        }
        var decoder = ForwardDecoder()
        decoder.append(builder.message(tag: "t", chunk: "1"))
        let (batch, rejected) = ForwardIngest.batch(of: try #require(try decoder.next()))
        #expect(batch.lineCount == 1)
        #expect(rejected == .init(malformed: 0, withoutApp: 3))
    }

    @Test func configurationNamesEveryProblem() {
        var reader = ConfigurationReader(variables: ["LOGGER_LISTEN": "x", "LOGGER_MEMORY_BYTES": "1"])
        _ = LoggerConfiguration(reader: &reader)
        #expect(reader.problems.count == 3)
        var good = ConfigurationReader(variables: ["LOGGER_AUTH": "none", "LOGGER_LINES_PER_APP": "7"])
        let configuration = LoggerConfiguration(reader: &good)
        #expect(good.problems.isEmpty)
        #expect(configuration.store.linesPerApp == 7)
    }
}
