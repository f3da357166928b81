import ForwardProtocol
import Testing

struct ForwardTimeTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00Z", 0, 0), ("2024-03-01T10:02:03Z", 1_709_287_323, 0),
        ("2024-02-29T23:59:59.5+01:30", 1_709_245_799, 500_000_000), ("2000-12-31T23:59:60Z", 978_307_200, 0),
        ("2026-11-21T09:51:35.123456789-02:00", 1_795_261_895, 123_456_789),
    ])
    func rfc3339IsRead(_ text: String, _ seconds: Int64, _ nanoseconds: UInt32) throws {
        let time = try #require(ForwardTime(rfc3339: text))
        #expect(time.nanoseconds == nanoseconds)
        #expect(time.seconds == seconds)
        #expect(ForwardTime(rfc3339: time.rfc3339) == time)
    }

    @Test(arguments: [
        "", "2024-03-01", "2024-03-01T10:02:03", "2024-13-01T10:02:03Z", "2024-03-01T24:02:03Z",
        "2024-03-01T10:02:03.Z",
        "2024-03-01T10:02:03.1234567890Z", "2024-03-01T10:02:03+0100", "2024-03-01T10:02:03Zx", "x024-03-01T10:02:03Z",
        "２024-03-01T10:02:03Z",
    ])
    func otherTextIsNoTime(_ text: String) {
        #expect(ForwardTime(rfc3339: text) == nil)
    }

    @Test func everyDayOfFourHundredYearsIsWrittenAndReadBack() {
        var previous = ""
        for day in Int64(-30_000)..<120_000 {
            let time = ForwardTime(seconds: day * 86_400 + 3661, nanoseconds: 9)
            let text = time.rfc3339
            #expect(ForwardTime(rfc3339: text) == time)
            #expect(text > previous)
            previous = text
        }
    }

    @Test func textIsAsContainerRuntimesWriteIt() {
        #expect(ForwardTime(seconds: 1_709_287_323, nanoseconds: 7).rfc3339 == "2024-03-01T10:02:03.000000007Z")
        #expect(ForwardTime(seconds: 1_709_287_323, nanoseconds: 7).civil == "2024-03-01T10:02:03")
    }
}
