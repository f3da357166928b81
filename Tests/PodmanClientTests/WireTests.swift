import ConcurrencyPrimitives
import CurlTransfer
import Hummingbird
import TestSupport
import Testing

@testable import PodmanClient

@Suite(.timeLimit(.minutes(1)))
struct WireTests {
    @Test func framesAreFoundWhereverTheInputIsCut() throws {
        let wire: [UInt8] =
            [1, 0, 0, 0, 0, 0, 0, 4] + Array("boo\n".utf8) + [2, 0, 0, 0, 0, 0, 0, 2] + Array("e\n".utf8)
        for cut in 0...wire.count {
            var frames = LogFrames()
            let chunks = try frames.consume(Array(wire[..<cut])) + frames.consume(Array(wire[cut...]))
            let output = chunks.filter { $0.stream == .standardOutput }.map(\.text).joined()
            let errors = chunks.filter { $0.stream == .standardError }.map(\.text).joined()
            #expect(output == "boo\n")
            #expect(errors == "e\n")
            #expect(frames.isBetweenFrames)
        }
    }

    @Test func outputWithoutFramesIsAnError() {
        var frames = LogFrames()
        #expect(throws: PodmanError.self) { try frames.consume(Array("plain text".utf8)) }
    }

    @Test func aTakenOverConnectionStartsAfterTheHead() throws {
        var answer = UpgradeAnswer()
        let first = try answer.consume(Array("HTTP/1.1 101 UPGRADED\r\nUpgrade: t".utf8))
        #expect(first.isEmpty)
        let second = try answer.consume(Array("cp\r\n\r\nabc".utf8))
        #expect(second == Array("abc".utf8))
        #expect(try answer.consume([1]) == [1])
    }

    @Test func aRefusalCarriesItsReason() {
        var answer = UpgradeAnswer()
        let error = #expect(throws: PodmanError.self) {
            let body = "{\"cause\":\"no such exec session\",\"message\":\"no session\",\"response\":404}"
            _ = try answer.consume(Array("HTTP/1.1 404 Not Found\r\n\r\n\(body)".utf8))
        }
        #expect(error?.code == .notFound)
    }

    /// What podman 4.3 answers when the process goes while its control group is read.
    @Test func aContainerThatEndsWhileItIsInspectedIsAskedForAgain() async throws {
        let asked = ConditionLocked(0)
        let router = Router()
        router.get("v4.3.1/libpod/containers/ending/json") { _, _ in
            let isEnding = asked.update { asked in
                asked += 1
                return asked < 3
            }
            let (status, cause): (HTTPResponse.Status, String) =
                isEnding ? (.internalServerError, "no such process") : (.notFound, "no such container")
            let reason = "read /proc/18683/cgroup: \(cause)"
            let body = #"{"cause":"\#(cause)","message":"\#(reason)","response":\#(status.code)}"#
            return Response(status: status, body: .init(byteBuffer: .init(string: body)))
        }
        try await withTemporaryDirectory("podman") { directory in
            try await withTestServer(router, unixSocket: "\(directory)/socket") { _ in
                let podman = PodmanClient(socket: "\(directory)/socket", http: try HTTPClient())
                let error = await #expect(throws: PodmanError.self) { try await podman.inspectContainer("ending") }
                #expect(error?.code == .notFound)
            }
        }
        #expect(asked.update { $0 } == 3)
    }

    @Test func limitsAreReadFromTheKernel() {
        let limits = ResourceLimits(
            parsing:
                "Limit   Soft Hard Units\nMax processes   96365  96365  processes\n"
                + "Max open files  1024  unlimited files\n"
        )
        #expect(limits.processes == 96365)
        #expect(limits.openFiles == Int(Int32.max))
    }

    @Test func queriesAreEscaped() {
        #expect([QueryItem("a", "b c/d:é")].encoded == "?a=b%20c%2Fd%3A%C3%A9")
    }
}
