import Foundation
import Testing

extension WholePlatform {
    @Suite struct Loads {
        @Test func noRequestIsLostOverTenDeploys() async throws {
            let platform = try Installation.required()
            let user = try await PlatformUser.signUp("lea", on: platform)
            let app = try await AppRepository.make("steady", of: user)
            try await app.commit(["page.txt": "page 0"])
            #expect(try await app.push().isSuccess)
            let began = ContinuousClock.now
            let outcome = try await OpenLoopLoad.run(
                try platform.url(host: "steady"), rate: 200, client: platform.client, isGood: { $0.hasPrefix("page ") }
            ) {
                for number in 1...10 {
                    try await app.commit(["page.txt": "page \(number)"])
                    let push = try await app.push()
                    #expect(push.isSuccess, "\(push.output)")
                }
            }
            let seconds = (ContinuousClock.now - began) / .seconds(1)
            let edge = try String(contentsOfFile: "\(platform.root)/nginx/error.log", encoding: .utf8).suffix(3000)
            #expect(outcome.failures.isEmpty, "\(edge)")
            #expect(Double(outcome.answered) >= 190 * seconds, "\(outcome.answered) requests in \(seconds) s")
            #expect(try await app.page() == (200, "page 10"))
        }
    }
}
