import CommandRunner
import TestSupport
import Testing

@Suite struct ProcessIdentityTests {
    @Test func portsItListensOnAreItsOwn() throws {
        let process = try #require(ProcessIdentity.current)
        let open = try TCPProxy(to: 9)
        let bound = try RefusingPort()
        #expect(process.listeningPorts.contains(Int(open.port)))
        #expect(!process.listeningPorts.contains(bound.number))
        let parent = try #require(ProcessIdentity(pid: process.parent))
        #expect(!parent.listeningPorts.contains(Int(open.port)))
        open.refuse()
        #expect(!process.listeningPorts.contains(Int(open.port)))
    }
}
