import ConcurrencyPrimitives
import Testing

struct DeadlineTests {
    @Test func aResultInTimeIsReturned() async throws {
        let value = try await withDeadline(.seconds(5)) { 7 }
        #expect(value == 7)
    }

    @Test func aLateOperationIsCancelled() async {
        await #expect(throws: DeadlineExceeded.self) {
            try await withDeadline(.milliseconds(20)) { try await Task.sleep(for: .seconds(60)) }
        }
    }

    @Test func backoffGrowsToItsLimit() {
        let waits = Array(Backoff(initial: .seconds(1), limit: .seconds(5), factor: 2, jitter: 0).prefix(5))
        #expect(waits == [.seconds(1), .seconds(2), .seconds(4), .seconds(5), .seconds(5)])
    }

    @Test func jitterStaysBelowTheWait() {
        for wait in Backoff(initial: .seconds(8), limit: .seconds(8), jitter: 0.5).prefix(100) {
            #expect(wait >= .seconds(4) && wait <= .seconds(8))
        }
    }
}
