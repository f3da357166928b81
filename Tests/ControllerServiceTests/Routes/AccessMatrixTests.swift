import HTTPTypes
import Hummingbird
import PlatformModel
import Testing

@testable import ControllerService

extension APITests {
    /// Every route × caller × own or foreign object, on the router as it is served: nothing succeeds that should not.
    ///
    /// The routes come from the router itself, so that one added without a policy fails,
    /// and so does one about something that belongs to somebody when ``AccessWorld/objects`` does not say to whom.
    @Suite struct AccessMatrixTests {
        @Test func everyCallerGetsWhatThePolicySaysAndNoMore() async throws {
            try await withAPI { api in
                let catalog = api.controller.makeRoutes()
                try checkPolicies(of: catalog)
                let world = try await AccessWorld(api)
                // Refusals first: they change nothing, whatever they were asked to do.
                for isAllowed in [false, true] {
                    for (route, policy) in catalog.policies.sorted(by: { $0.key.text < $1.key.text }) {
                        for caller in AccessWorld.Caller.allCases {
                            for isOwn in [true, false] {
                                let verdict = try world.verdict(route, policy, caller, isOwn: isOwn)
                                guard verdict.isAllowed == isAllowed else { continue }
                                try await check(verdict, route, caller, isOwn: isOwn, in: world)
                            }
                        }
                    }
                }
            }
        }

        private func checkPolicies(of catalog: RouteCatalog) throws {
            let health: Set = ["/healthz", "/readiness", "/metrics"]
            let known = Set(catalog.policies.keys.map { "\($0.method) \(RouterPath($0.path))" })
            for route in catalog.router.routes where !health.contains(route.path.description) {
                #expect(known.contains("\(route.method.rawValue) \(route.path)"), "\(route.method) \(route.path)")
            }
            #expect(catalog.policies.count > 200)
        }

        private func check(
            _ verdict: AccessWorld.Verdict, _ route: RouteCatalog.Route, _ caller: AccessWorld.Caller, isOwn: Bool,
            in world: AccessWorld
        ) async throws {
            guard verdict != .anything, !(verdict.isAllowed && route.removesWhatTheTestNeeds) else { return }
            let answer = try await world.call(route, caller, isOwn: isOwn)
            let words: Comment =
                "\(route.text) by \(caller.rawValue), own: \(isOwn), answered \(answer.status) \(answer.text)"
            switch verdict {
            case .anything: return
            case .refused(let statuses): #expect(statuses.contains(answer.status), words)
            case .allowed:
                #expect(![401, 403, 405].contains(answer.status), words)
                // The logger is away in these tests, which is told as 502.
                #expect(answer.status < 500 || answer.status == 502, words)
            case .emptyList:
                #expect(answer.status == 200, words)
                if route.method == "GET" { #expect(try answer.json["count"] == 0, words) }
            }
        }
    }
}

extension RouteCatalog.Route {
    fileprivate var text: String { "\(path) \(method)" }

    /// The allowed removal of a whole app, of a token in use, of the owner: proven where it is the subject.
    fileprivate var removesWhatTheTestNeeds: Bool {
        method == "DELETE" && (path == "/v2/apps/{app}/" || !path.hasPrefix("/v2/apps/"))
    }
}
