import HTTPTypes
import PlatformModel
import PodmanTestSupport
import Testing
import WebSocketTestSupport

@testable import ControllerService

extension APITests {
    /// Controller API 2.13: the websockets of `drycc ps logs` and `drycc ps exec`, frame by frame.
    @Suite struct PodSocketTests {
        private static let pod = "myapp-web-0123456789-abcde"
        private static let pods = MemoryPods(written: [PodName(pod): ["one", "two", "three"]])

        /// A workspace of ada's with `myapp`, whose one pod has written three lines.
        private func withPod(_ body: @Sendable @escaping (LiveAPI, _ ada: String) async throws -> Void) async throws {
            try await withLiveAPI(pods: Self.pods) { live in
                let ada = try await live.api.signUp("ada", id: 7)
                try await live.api.makeApp(as: ada)
                try await live.observe(Self.pod)
                try await body(live, ada)
            }
        }

        @Test func logsComeInOneTextFrame() async throws {
            try await withPod { live, ada in
                try await RawWebSocketClient.connect(port: live.port) { client in
                    let head = try await live.open("/v2/apps/myapp/pods/\(Self.pod)/logs/", as: ada, &client)
                    #expect(head.hasPrefix("HTTP/1.1 101 "))
                    #expect(head.contains("DRYCC_API_VERSION: 2.3"))
                    try await client.send(text: #"{"lines":2,"follow":false,"container":"","previous":false}"#)
                    let frame = try await client.dataFrame()
                    #expect(frame.opcode == 1 && frame.text == "two\nthree\n")
                    #expect(try await client.dataFrame().closeCode == 1000)
                }
            }
        }

        @Test func followedLogsComeInBinaryFramesThatEndWithTheirLines() async throws {
            try await withPod { live, ada in
                try await RawWebSocketClient.connect(port: live.port) { client in
                    _ = try await live.open("/v2/apps/myapp/pods/\(Self.pod)/logs", as: ada, &client)
                    try await client.send(text: #"{"lines":-1,"follow":true,"container":"","previous":false}"#)
                    for line in ["one\n", "two\n", "three\n"] {
                        let frame = try await client.dataFrame()
                        #expect(frame.opcode == 2 && frame.text == line)
                    }
                    #expect(try await client.dataFrame().closeCode == 1000)
                }
            }
        }

        @Test func outsidersAreRefusedAtTheHandshake() async throws {
            try await withPod { live, ada in
                let eve = try await live.api.signUp("eve", id: 30)
                let viewer = try await live.api.signUp("bob", id: 31)
                try await live.api.call(
                    .post, "/v2/workspaces/acme1/invitations", #"{"email":"bob@example.com"}"#, as: ada)
                try await live.api.call(
                    .patch, "/v2/workspaces/acme1/members/bob", #"{"role":"viewer"}"#, as: ada)
                let refused: [(String?, String)] = [
                    (nil, "myapp/pods/\(Self.pod)/logs/"), ("nonsense", "myapp/pods/\(Self.pod)/logs/"),
                    (eve, "myapp/pods/\(Self.pod)/logs/"), (eve, "myapp/pods/\(Self.pod)/exec/"),
                    (ada, "other/pods/\(Self.pod)/logs/"), (viewer, "myapp/pods/\(Self.pod)/exec/"),
                ]
                for (token, path) in refused {
                    try await RawWebSocketClient.connect(port: live.port) { client in
                        let head = try await live.open("/v2/apps/\(path)", as: token, &client)
                        #expect(head.hasPrefix("HTTP/1.1 403 "), "\(path)")
                        #expect(head.contains("DRYCC_API_VERSION: 2.3"))
                    }
                }
                try await RawWebSocketClient.connect(port: live.port) { client in
                    let head = try await live.open("/v2/apps/myapp/pods/\(Self.pod)/logs/", as: viewer, &client)
                    #expect(head.hasPrefix("HTTP/1.1 101 "))
                }
            }
        }

        @Test func unknownPodsAreNamed() async throws {
            try await withPod { live, ada in
                try await RawWebSocketClient.connect(port: live.port) { client in
                    _ = try await live.open("/v2/apps/myapp/pods/nobody/logs/", as: ada, &client)
                    try await client.send(text: #"{"lines":300,"follow":false}"#)
                    #expect(
                        try await client.dataFrame().text
                            == "drycc[controller]: pod nobody does not exist in application myapp\n")
                    #expect(try await client.dataFrame().closeCode == 1000)
                }
                try await RawWebSocketClient.connect(port: live.port) { client in
                    _ = try await live.open("/v2/apps/myapp/pods/nobody/exec/", as: ada, &client)
                    try await client.send(text: #"{"tty":false,"stdin":false,"command":["ls"]}"#)
                    #expect(
                        try await client.dataFrame().text
                            == "\u{2}pod nobody does not exist in application myapp\n")
                    #expect(try await client.dataFrame().closeCode == 1000)
                }
            }
        }

        private static let badFirstFrames = [
            "", "[]", "nonsense", #"{"command":[]}"#, #"{"command":"ls"}"#, #"{"command":[1]}"#,
            #"{"command":["a\u0000b"]}"#,
        ]

        @Test(arguments: badFirstFrames) func badCommandsCloseTheSocket(_ text: String) async throws {
            try await withPod { live, ada in
                try await RawWebSocketClient.connect(port: live.port) { client in
                    _ = try await live.open("/v2/apps/myapp/pods/\(Self.pod)/exec/", as: ada, &client)
                    try await client.send(text: text)
                    #expect(try await client.dataFrame().closeCode == 1007)
                }
            }
        }

        @Test func aCommandWithoutInputAnswersInItsFirstFrame() async throws {
            try await withPod { live, ada in
                try await RawWebSocketClient.connect(port: live.port) { client in
                    _ = try await live.open("/v2/apps/myapp/pods/\(Self.pod)/exec/", as: ada, &client)
                    try await client.send(text: #"{"tty":false,"stdin":false,"command":["fail"]}"#)
                    #expect(try await client.dataFrame().text == "\u{1}one\ntwo\n")
                    let status = try await client.dataFrame()
                    #expect(status.payload.first == 3)
                    #expect(status.text.contains("command terminated with non-zero exit code: exit status 3"))
                    #expect(try await client.dataFrame().closeCode == 1000)
                }
                try await RawWebSocketClient.connect(port: live.port) { client in
                    _ = try await live.open("/v2/apps/myapp/pods/\(Self.pod)/exec/", as: ada, &client)
                    try await client.send(text: #"{"tty":false,"stdin":false,"command":["quiet"]}"#)
                    #expect(try await client.dataFrame().payload == [1])
                }
            }
        }

        @Test func inputAndSizeReachTheCommand() async throws {
            try await withPod { live, ada in
                try await RawWebSocketClient.connect(port: live.port) { client in
                    _ = try await live.open("/v2/apps/myapp/pods/\(Self.pod)/exec/", as: ada, &client)
                    try await client.send(text: #"{"tty":true,"stdin":true,"command":["cat"]}"#)
                    try await client.send(text: "\u{4}{\"Height\": 50, \"Width\": 120}")
                    #expect(try await client.dataFrame().text == "\u{1}50x120")
                    try await client.send(text: "\u{0}hello\n")
                    #expect(try await client.dataFrame().text == "\u{1}hello\n")
                    for ignored in ["\u{4}nonsense", "\u{9}x", "\u{1}x", "\u{0}", ""] {
                        try await client.send(text: ignored)
                    }
                    try await client.send(opcode: 2, [0, 0xFF, 0xFE])
                    #expect(try await client.dataFrame().payload == [1, 0xFF, 0xFE])
                }
            }
        }

        @Test(.enabled(if: PodmanService.isPossible)) func aShellRunsInARealPod() async throws {
            try await withPodmanEngine { engine, _ in
                let workload = try EngineFixture().workload(["sleep", "300"], type: "worker", port: nil)
                let pod = PodName(for: workload)
                _ = try await engine.start(workload, as: pod, fence: 1)
                try await withLiveAPI(pods: engine) { live in
                    let ada = try await live.api.signUp("ada", id: 7)
                    try await live.api.makeApp(as: ada)
                    try await live.observe(pod.text)
                    try await RawWebSocketClient.connect(port: live.port) { client in
                        _ = try await live.open("/v2/apps/myapp/pods/\(pod)/exec/", as: ada, &client)
                        try await client.send(text: #"{"tty":false,"stdin":true,"command":["sh"]}"#)
                        try await client.send(text: "\u{0}echo $((6 * 7)); exit 5\n")
                        #expect(try await client.dataFrame().text == "\u{1}42\n")
                        #expect(try await client.dataFrame().text.contains("exit status 5"))
                        #expect(try await client.dataFrame().closeCode == 1000)
                    }
                    try await RawWebSocketClient.connect(port: live.port) { client in
                        _ = try await live.open("/v2/apps/myapp/pods/\(pod)/exec/", as: ada, &client)
                        try await client.send(text: #"{"tty":false,"stdin":false,"command":["no-such-program"]}"#)
                        #expect(try await client.dataFrame().payload.first == 2)
                    }
                }
            }
        }
    }
}
