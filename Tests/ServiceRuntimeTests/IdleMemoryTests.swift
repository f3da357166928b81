import Foundation
import Testing

@testable import ServiceRuntime

@Suite struct IdleMemoryTests {
    /// Kibibytes of files' pages this process has in memory (proc(5)).
    private func filePages() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssFile:") })
        return try #require(Int(line.filter(\.isNumber)))
    }

    @Test func pagesOfTheProgramAreGivenBackAndComeAgain() throws {
        let before = try filePages()
        IdleMemory.release()
        // Reading the figure itself has brought some pages back already, so the program still runs.
        let after = try filePages()
        #expect(after > 0 && after < before)
    }
}
