import Testing

@testable import BuilderService

@Suite struct PushOutputTests {
    @Test func phasesAlignTheirDurations() {
        var output = PushOutput(isVerbose: false)
        let lines = output.lines(
            for: RunEvent(kind: .phase, phase: "image", text: "sha256:9b1c... 41.2 MB (+0.3 MB)", seconds: 0.12))
        #expect(lines == ["-----> image     sha256:9b1c... 41.2 MB (+0.3 MB)         0.12s"])
    }

    @Test func longTextsWrapWithinEightyColumns() {
        let text = String(repeating: "word ", count: 40)
        let lines = PushOutput.row(mark: "----->", phase: "build", text: text, seconds: 100.5)
        #expect(lines.count > 3)
        #expect(lines.allSatisfy { ("remote: " + $0).count <= 80 })
        #expect(lines.last?.hasSuffix("100.50s") == true)
    }

    @Test func aLongWordIsNotCut() {
        let url = "http://" + String(repeating: "a", count: 80) + ".example.com"
        #expect(PushOutput.row(mark: "=====>", phase: "live", text: url, seconds: 2).joined().contains(url))
    }

    @Test func failureShowsTheLastTwentyLinesOfItsPhaseOnly() {
        var output = PushOutput(isVerbose: false)
        _ = output.lines(for: RunEvent(kind: .line, phase: "build", text: "of the build"))
        _ = output.lines(for: RunEvent(kind: .phase, phase: "build", text: "", seconds: 1))
        for index in 1...25 { _ = output.lines(for: RunEvent(kind: .line, phase: "start", text: "line \(index).")) }
        let lines = output.lines(for: RunEvent(kind: .end, text: "it broke\ntry this", seconds: 3, state: .failed))
        #expect(lines.first == "       last output of start:")
        #expect(
            lines.contains("       line 6.") && !lines.contains("       line 5.")
                && !lines.contains("       of the build"))
        #expect(lines.last == "       try this")
    }

    @Test func quietTimesAreBroken() {
        var output = PushOutput(isVerbose: false)
        _ = output.lines(for: RunEvent(kind: .line, phase: "build", text: "STEP 3/7: RUN npm ci"))
        #expect(output.lines(for: RunEvent(heartbeat: true)) == ["       build     STEP 3/7: RUN npm ci"])
    }

    @Test func controlCharactersDoNotReachTheTerminal() {
        var output = PushOutput(isVerbose: true)
        let lines = output.lines(for: RunEvent(kind: .line, phase: "build", text: "a\u{1b}]0;title\u{7}b\r\u{9b}c"))
        #expect(lines == ["       a]0;titlebc"])
    }

    @Test(arguments: [(0.0, "0.00s"), (1.005, "1.00s"), (59.999, "60.00s"), (-1, "0.00s")])
    func durationsHaveTwoDigits(seconds: Double, text: String) {
        #expect(PushOutput.duration(seconds).count == text.count)
    }

    @Test func packetsCountTheirOwnLength() {
        #expect(PacketLine.text("ERR x\n") == "000aERR x\n")
        #expect(throws: PacketLine.Malformed.self) { try PacketLine.payloadLength(Array("0003".utf8)) }
        #expect(throws: PacketLine.Malformed.self) { try PacketLine.payloadLength(Array("zzzz".utf8)) }
    }
}
