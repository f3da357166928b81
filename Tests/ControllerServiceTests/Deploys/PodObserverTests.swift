import FoundationEssentials
import Logging
import Postgres
import TaskOutbox
import TestSupport
import Testing

@testable import ControllerService

@Suite(.enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct PodObserverTests {
    /// Many apps another worker is at, for longer than anybody waits here, and one that nobody looks after.
    @Test func appsDoNotWaitForOneAnother() async throws {
        try await DeployFixture.run { fixture in
            let leases = LeaseStore(pool: fixture.pool)
            for number in 10..<50 {
                // Looked at before the fixture's, by the order of the identifiers.
                let app = try #require(UUID(uuidString: "00000000-0000-0000-0000-0000000000\(number)"))
                try await fixture.pool.execute(
                    "INSERT INTO destroyed_apps (uuid, id, destroyed_by) VALUES (\(app), \("busy\(number)"), 'ada')")
                let key = "app:\(app.uuidString.lowercased())"
                #expect(try await leases.acquire(key, holder: "other", for: .seconds(600)) != nil)
            }
            let deployment = try await fixture.push("registry/shop@sha256:1")
            let observer = PodObserver(
                pool: fixture.pool, engine: fixture.engine, apps: fixture.converger, jobs: fixture.jobs,
                sweep: .seconds(600), logger: Logger(label: "test"))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await observer.run() }
                try await eventually(within: .seconds(10), "the app runs") {
                    try await fixture.deployment(deployment.uuid) == .succeed
                }
                group.cancelAll()
            }
            #expect(fixture.engine.all.count == 1)
        }
    }
}
