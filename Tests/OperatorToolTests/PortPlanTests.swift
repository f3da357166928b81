import Testing

@testable import OperatorTool

/// Which ports an installation takes.
@Suite struct PortPlanTests {
    private func complete(_ plan: PortPlan, taken: Set<Int>) throws -> PortPlan {
        var plan = plan
        var next = 40_000
        try plan.complete(isFree: { _, port in !taken.contains(port) }) {
            next += 1
            return next
        }
        return plan
    }

    @Test func theFirstPreferredPortThatIsFreeIsTaken() throws {
        let plan = try complete(PortPlan(), taken: [80, 443, 5000])
        #expect(plan[.http] == 8080)
        #expect(plan[.https] == 8443)
        #expect(plan[.ssh] == 2222)
        #expect(plan[.registry] > 40_000)
        #expect(Set(plan.numbers.values).count == PortPlan.Use.allCases.count)
    }

    @Test func rememberedPortsStay() throws {
        let plan = try complete(PortPlan(numbers: [.http: 8123, .controller: 9000]), taken: [])
        #expect(plan[.http] == 8123)
        #expect(plan[.controller] == 9000)
    }

    @Test func oneNumberIsNotPromisedTwice() throws {
        #expect(throws: PortPlan.Clash(use: .https, other: .http, port: 8123)) {
            try complete(PortPlan(numbers: [.http: 8123, .https: 8123]), taken: [])
        }
        let plan = try complete(PortPlan(numbers: [.http: 5672, .broker: 5672]), taken: [])
        #expect(plan[.http] == 5672)
        #expect(plan[.broker] > 40_000)
    }

    @Test func anInnerPortGivesWayAndAPromisedOneDoesNot() throws {
        #expect(try complete(PortPlan(numbers: [.controller: 9000]), taken: [9000])[.controller] == 8000)
        #expect(throws: PortPlan.Taken(use: .http, port: 8123)) {
            try complete(PortPlan(numbers: [.http: 8123]), taken: [8123])
        }
    }
}
