import PodmanTestSupport
import Testing

/// Boots one platform for all tests of a suite and removes it afterwards, of which nothing must remain.
struct InstallationTrait: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let installation = try Installation()
        try await withEngineTurn {
            let outcome: Result<Void, any Error>
            do {
                try await installation.up()
                try await installation.loadBaseImage()
                try await Installation.$current.withValue(installation) { try await function() }
                outcome = .success(())
            } catch {
                outcome = .failure(error)
            }
            try await installation.remove()
            let remains = try await installation.remains()
            #expect(remains == [], "down --remove leaves nothing behind, whatever was killed before")
            try outcome.get()
        }
    }
}

extension Trait where Self == InstallationTrait {
    static var installation: Self { InstallationTrait() }
}

/// The whole platform, driven by git, ssh and the calls of the stock command line.
@Suite(.serialized, .installation) enum WholePlatform {}
