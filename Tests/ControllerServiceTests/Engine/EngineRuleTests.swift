import FoundationEssentials
import PlatformModel
import PodmanClient
import Testing

@testable import ControllerService

struct EngineRuleTests {
    @Test func labelsSayEverythingAboutAPod() throws {
        let workload = try EngineFixture().workload(["a b", "\"c\""], type: "worker", release: 12, port: nil)
        let labels = PodLabels(workload, pod: PodName(for: workload), fence: 7, uid: "u-1")
        #expect(PodLabels(try labels.encoded()) == labels)
        #expect(PodLabels([:]) == nil)
        #expect(PodLabels(["workflow.heritage": "drycc", "workflow.app": "NOT AN APP"]) == nil)
    }

    @Test(arguments: [
        ("127.0.0.1:5000/a/b@sha256:0", true), ("localhost:5000/a", true), ("localhost/a", true),
        ("127.0.0.1.example.com/a", false), ("localhost.example.com/a", false), ("docker.io/library/a", false),
    ])
    func onlyThisMachinesRegistriesSpeakPlainHTTP(image: String, expected: Bool) {
        #expect(PodmanEngine.isOnLoopback(image) == expected)
    }

    @Test func listenersExplainWhyNothingAnswers() {
        let head = "  sl  local_address rem_address   st\n"
        let loopback = ListeningSockets(table: head + "   0: 0100007F:1F90 00000000:0000 0A x\n")
        #expect(loopback.hint(expecting: 8080)?.contains("127.0.0.1:8080 only") == true)
        let other = ListeningSockets(table: head + "   0: 00000000:0BB8 00000000:0000 0A x\n")
        #expect(other.hint(expecting: 8080)?.contains("3000") == true)
        let connected = ListeningSockets(table: head + "   0: 00000000:1F90 00000000:0000 01 x\n")
        #expect(connected.hint(expecting: 8080)?.contains("no port") == true)
        let right = ListeningSockets(table: head + "   0: 00000000000000000000000000000000:1F90 0:0 0A x\n")
        #expect(right.hint(expecting: 8080) == nil)
    }

    @Test func outputIsCutIntoLinesPerStream() {
        var lines = OutputLines()
        var seen = lines.consume(.init(stream: .standardOutput, bytes: Array("one\r\ntw".utf8)))
        seen += lines.consume(.init(stream: .standardError, bytes: Array("bad\n".utf8)))
        seen += lines.consume(.init(stream: .standardOutput, bytes: Array("o\nrest".utf8)))
        #expect(seen == ["one", "bad", "two"])
        #expect(lines.finish() == ["rest"])
    }

    @Test func secretsBelongToOneAppAndOnePod() throws {
        let (shop, other) = (try AppName("shop1"), try AppName("shop1-web"))
        let pod = PodName("shop1-web-web-0123456789-abcde")
        let name = SecretName.make(app: other, pod: pod, number: 12)
        #expect(SecretName.belongs(name, to: other) && !SecretName.belongs(name, to: shop))
        #expect(SecretName.owner(of: name) == SecretName.Owner(pod))
        #expect(SecretName.owner(of: "shop1-web-0123456789-abcde.0") == nil)
        #expect(name.utf8.count <= 64)
    }

    @Test func probesAreReadAsKubernetesWritesThem() throws {
        let probes = ProbeRule.probes(
            [
                "startupProbe": ["exec": ["command": ["true"]], "periodSeconds": 1, "failureThreshold": 5],
                "livenessProbe": ["httpGet": ["path": "/live"], "initialDelaySeconds": 50, "timeoutSeconds": 7],
            ], port: 5000)
        #expect(probes.startup?.action == .exec(command: ["true"]))
        #expect(probes.liveness?.action == .http(path: "/live", port: 5000, headers: [:]))
        #expect(probes.readiness == nil)
        #expect(probes.allowance == .seconds(50 + 17 * 4 + 2 * 6))
        let alone = ProbeRule.probes(["livenessProbe": ["tcpSocket": ["port": 1]], "x": [:]], port: nil)
        #expect(alone.readiness?.initialDelay == .zero)
    }

    @Test(arguments: [(Duration.milliseconds(12), "12 ms"), (.milliseconds(1250), "1.2 s"), (.seconds(60), "60.0 s")])
    func durationsAreSpoken(duration: Duration, words: String) {
        #expect(duration.spoken == words)
    }
}
