import FoundationEssentials
import Glibc
import TestSupport
import Testing

@testable import OperatorTool

/// The platform's block in a hosts file that belongs to others.
@Suite struct HostsFileTests {
    private let file = HostsFile(path: "/nonexistent", owner: "/state")
    private static let block = "# BEGIN workflow /state\n127.0.0.1 a.test\n127.0.0.1 b.test\n# END workflow /state\n"
    /// Tabs, a carriage return, a byte that is no UTF-8, and no line end at last.
    private static let foreign: [UInt8] =
        Array("127.0.0.1\tlocalhost\r\n# caf".utf8) + [0xE9, 0x0A] + Array("::1 six".utf8)

    private func text(_ content: String, _ names: [String] = ["a.test", "b.test"]) -> String {
        String(decoding: file.content(replacing: Array(content.utf8), names: names), as: UTF8.self)
    }

    @Test func foreignLinesAreKeptByteForByte() {
        let with = file.content(replacing: Self.foreign, names: ["a.test", "b.test"])
        #expect(with == Self.foreign + [0x0A] + Array(Self.block.utf8))
        #expect(file.content(replacing: with, names: []) == Self.foreign + [0x0A])
        #expect(file.content(replacing: Self.foreign, names: []) == Self.foreign)
    }

    @Test func theBlockIsReplacedInItsPlace() {
        let old = "one\n# BEGIN workflow /state\n127.0.0.1 old.test\n# END workflow /state\ntwo\n"
        #expect(text(old) == "one\n\(Self.block)two\n")
        #expect(text(text(old)) == text(old))
        #expect(text(old, []) == "one\ntwo\n")
    }

    @Test func twoBlocksBecomeOneAndAnotherInstallationsStays() {
        let other = Self.block.replacing("/state", with: "/other")
        #expect(text(Self.block + other + Self.block) == Self.block + other)
    }

    @Test func aBlockWithoutItsEndTakesNothingOfOthers() {
        let cut = "# BEGIN workflow /state\n127.0.0.1 a.test\n10.0.0.1 printer\n10.0.0.2 scanner\n"
        #expect(text(cut, []) == "127.0.0.1 a.test\n10.0.0.1 printer\n10.0.0.2 scanner\n")
        #expect(text(cut) == "\(Self.block)10.0.0.1 printer\n10.0.0.2 scanner\n")
    }

    @Test func theFileIsReplacedAsAWholeAndKeepsItsMode() async throws {
        try await withTemporaryDirectory("hosts") { directory in
            let path = "\(directory)/hosts"
            try Data("one\n".utf8).write(to: URL(filePath: path))
            chmod(path, 0o640)
            var before = stat()
            stat(path, &before)
            let hosts = HostsFile(path: path, owner: "/state")
            #expect(try hosts.update(names: ["a.test", "b.test"]))
            #expect(try !hosts.update(names: ["a.test", "b.test"]))
            #expect(try hosts.isCurrent(names: ["a.test", "b.test"]))
            #expect(try !hosts.isCurrent(names: ["a.test"]))
            var after = stat()
            stat(path, &after)
            #expect(after.st_ino != before.st_ino)
            #expect(after.st_mode & 0o777 == 0o640)
            #expect(try hosts.update(names: []))
            let rest = try Data(contentsOf: URL(filePath: path))
            #expect(String(decoding: rest, as: UTF8.self) == "one\n")
        }
    }
}
