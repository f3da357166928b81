import CommandRunner
import FoundationEssentials
import Glibc
import TestSupport
import Testing

@testable import SSHServer

/// A peer whose network goes away says nothing: no FIN, no RST.
@Suite(.timeLimit(.minutes(3)))
struct VanishedPeerTests {
    @Test func aPushWhosePeerVanishesEndsAndTheNextOneIsTaken() async throws {
        try await SSHFixture.withServer {
            $0.host = "0.0.0.0"
            $0.keepAliveInterval = .milliseconds(500)
            $0.peerLimit = .seconds(2)
        } _: { fixture in
            let key = try await fixture.makeKey("ada", user: "ada")
            try await FarNetwork.with { network in
                let advertisement = fixture.folder + "/advertisement"
                let ssh = (["ssh"] + fixture.sshOptions(key: key)).joined(separator: " ")
                let server = "git@\(network.hereAddress)"
                let push = "tail -f /dev/null | \(ssh) \(server) git-receive-pack shop > \(advertisement)"
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { _ = try await CommandRunner.run(network.command("sh", ["-c", push])) }
                    try await eventually("git answers the far client") {
                        try Data(contentsOf: URL(filePath: advertisement)).isEmpty == false
                    }
                    #expect(fixture.server.connectionCount == 1)
                    try await network.cut()
                    try await eventually("git has ended") { fixture.handler.exitStatuses.count == 1 }
                    try await eventually("the connection is gone") { fixture.server.connectionCount == 0 }
                    group.cancelAll()
                }
            }
            let tree = try await fixture.makeWorkTree("tree", key: key, files: ["a": "one\n"])
            let next = try await fixture.git(["push", fixture.url("shop"), "main"], key: key, in: tree)
            #expect(next.exit == .code(0), "\(next.errorText)")
        }
    }
}

/// A network namespace joined to this machine's by one cable, which can be cut.
private struct FarNetwork: Sendable {
    private let name: String
    let hereAddress: String
    private let farAddress: String

    private init() {
        let number = Int(getpid()) % 0xFFFF
        name = "far\(number)"
        // From the range for benchmarks between networks (RFC 2544), which nobody routes.
        hereAddress = "198.18.\(number >> 8).\(number & 0xFC | 1)"
        farAddress = "198.18.\(number >> 8).\(number & 0xFC | 2)"
    }

    static func with(_ body: (FarNetwork) async throws -> Void) async throws {
        let network = FarNetwork()
        try await network.ip("netns", "add", network.name)
        do {
            try await network.join()
            try await body(network)
        } catch {
            try await network.ip("netns", "delete", network.name)
            throw error
        }
        try await network.ip("netns", "delete", network.name)
    }

    private func join() async throws {
        try await ip("link", "add", name, "type", "veth", "peer", "name", "cable", "netns", name)
        try await ip("address", "add", hereAddress + "/30", "dev", name)
        try await ip("link", "set", name, "up")
        try await ip("-n", name, "address", "add", farAddress + "/30", "dev", "cable")
        try await ip("-n", name, "link", "set", "cable", "up")
    }

    /// From now on no packet passes in either direction.
    func cut() async throws { try await ip("-n", name, "link", "set", "cable", "down") }

    func command(_ program: String, _ arguments: [String]) -> Command {
        Command("ip", ["netns", "exec", name, program] + arguments, deadline: .seconds(120))
    }

    private func ip(_ arguments: String...) async throws {
        try await CommandRunner.check(Command("ip", arguments))
    }
}
