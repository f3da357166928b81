import CommandRunner
import CurlTransfer
import Glibc
import HTTPTypes
import RouterService
import TestSupport
import Testing

/// Requests through a real nginx.
@Suite(.timeLimit(.minutes(2))) struct EdgeRoutingTests {
    struct Page: CustomTestStringConvertible, Sendable {
        let host: String
        let status: Int
        let text: String
        let retryAfter: String?
        var testDescription: String { "\(host) \(status)" }
    }

    static let pages = [
        Page(host: "nobody.edge.localhost", status: 404, text: "No such app", retryAfter: nil),
        Page(host: "empty.edge.localhost", status: 503, text: "App is not running", retryAfter: "10"),
        Page(host: "works.edge.localhost", status: 503, text: "Down for maintenance", retryAfter: "300"),
        Page(host: "dead.edge.localhost", status: 502, text: "App did not answer", retryAfter: "5"),
    ]

    @Test func everyRefusalHasItsPageAndAnIDThatIsInTheLog() async throws {
        try await EdgeFixture.with { edge in
            let gone = Backend(address: "127.0.0.1", port: 9)
            try await edge.table.apply(
                RoutingTable(
                    version: 1,
                    hosts: [
                        HostEntry(host: "empty.edge.localhost", app: "empties", state: .noProcess, backends: []),
                        HostEntry(host: "works.edge.localhost", app: "works", state: .maintenance, backends: [gone]),
                        HostEntry(host: "dead.edge.localhost", app: "deads", backends: [gone]),
                    ]))
            for page in Self.pages {
                for (accept, kind) in [("text/html", "text/html"), ("*/*", "text/plain")] {
                    let type = "\(kind); charset=utf-8"
                    let response = try await edge.send(page.host, accept: accept)
                    let id = try #require(response.headers[.requestID])
                    #expect(response.status == page.status, "\(page.host) \(edge.errorLog)")
                    #expect(response.text.contains(page.text), "\(page.host)")
                    #expect(response.text.contains(id), "\(page.host)")
                    #expect(response.headers[.contentType] == type)
                    #expect(response.headers[.retryAfter] == page.retryAfter)
                    try await expectLog(edge, contains: id)
                }
            }
        }
    }

    private func expectLog(_ edge: EdgeFixture, contains id: String) async throws {
        // nginx writes the line after it has sent the answer.
        try await eventually("the access log names \(id)") {
            let log = try await CommandRunner.check(Command("cat", ["--", edge.settings.accessLogPath]))
            return log.text.contains("\"request.id\":\"\(id)\"")
        }
    }

    @Test func aBackendSeesTheRealClientAndTheHostTheClientNamed() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: ports)
                var request = edge.request("SHOP.edge.localhost:8080", "/a//b?c=%2F")
                for (name, value) in [
                    ("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https"), ("X-Real-IP", "1.2.3.4"),
                    ("X-Request-Id", "mine"), ("Forwarded", "for=1.2.3.4"), ("X-Forwarded-Host", "evil"),
                    ("X-Forwarded-Port", "1"), ("X-Forwarded-Server", "evil"), ("Proxy", "x"),
                ] {
                    request.headers[try #require(HTTPField.Name(name))] = value
                }
                let lines = try await edge.client.send(request).text.split(separator: "\n").map(String.init)
                #expect(lines.contains("host: SHOP.edge.localhost:8080"))
                #expect(lines.contains("x-forwarded-for: 127.0.0.1"))
                #expect(lines.contains("x-real-ip: 127.0.0.1"))
                #expect(lines.contains("x-forwarded-port: \(edge.settings.httpPort)"))
                #expect(lines.contains("x-forwarded-proto: http"))
                #expect(lines.contains("x-forwarded-host: SHOP.edge.localhost:8080"))
                #expect(!lines.contains("x-request-id: mine"))
                let names = Set(lines.map { String($0.prefix { $0 != ":" }) })
                #expect(names.isDisjoint(with: ["forwarded", "proxy", "x-forwarded-server"]))
            }
        }
    }

    struct Path: CustomTestStringConvertible, Sendable {
        let path: String
        let isOpen: Bool
        var testDescription: String { path }
    }

    static let platformPaths = [
        Path(path: "/healthz", isOpen: true), Path(path: "/v2/apps/", isOpen: true),
        Path(path: "/v2/hooksmith", isOpen: true),
        Path(path: "/metrics", isOpen: false), Path(path: "/readiness", isOpen: false),
        Path(path: "/v2/hooks/config/", isOpen: false), Path(path: "/v2/platform/routes", isOpen: false),
        Path(path: "/v2//hooks/config/", isOpen: false), Path(path: "/v2/%68ooks/config/", isOpen: false),
        Path(path: "/v2/x/../hooks/config/", isOpen: false), Path(path: "/v2/x/%2e%2e/hooks/", isOpen: false),
        Path(path: "/V2/Hooks/config/", isOpen: false),
    ]

    @Test func internalPathsOfThePlatformAreClosedHoweverTheyAreWritten() async throws {
        let backends = Backends()
        try await backends.run(["platform"]) { ports in
            try await EdgeFixture.with(platformPort: ports[0]) { edge in
                for path in Self.platformPaths {
                    let response = try await edge.send("drycc.edge.localhost", path.path)
                    #expect(response.status == (path.isOpen ? 200 : 404), "\(path.path)")
                    if path.isOpen {
                        #expect(response.headers[try #require(HTTPField.Name("DRYCC_API_VERSION"))] == "2.3")
                    }
                }
            }
        }
    }

    @Test func theSamePathsOfAnAppAreItsOwn() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: ports)
                for path in ["/metrics", "/readiness", "/healthz", "/v2/hooks/config/", "/v2/platform/routes"] {
                    let response = try await edge.send("shop.edge.localhost", path)
                    #expect(response.text.hasPrefix("one"), "\(path)")
                }
            }
        }
    }

    @Test func aCustomDomainLeadsToTheSameAppUntilItIsTakenAway() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with { edge in
                let own = EdgeFixture.entry("shop.edge.localhost", ports: ports)
                let custom = EdgeFixture.entry("www.example.org", ports: ports)
                try await edge.table.apply(RoutingTable(version: 1, hosts: [own, custom]))
                for host in ["shop.edge.localhost", "www.example.org", "WWW.Example.Org."] {
                    let response = try await edge.send(host)
                    #expect(response.text.hasPrefix("one"), "\(host)")
                }
                try await edge.table.apply(RoutingTable(version: 2, hosts: [own]))
                let refused = try await edge.send("www.example.org")
                #expect(refused.status == 404)
                #expect(refused.text.contains("No such app"))
            }
        }
    }

    @Test func aDeadBackendIsPassedOverAlsoForPosts() async throws {
        let backends = Backends()
        try await backends.run(["live"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: [9, ports[0], 7])
                for _ in 0..<10 {
                    let read = try await edge.send("shop.edge.localhost")
                    let written = try await edge.send("shop.edge.localhost", method: .post, body: .text("x"))
                    #expect(read.status == 200)
                    #expect(written.status == 200)
                }
            }
        }
    }

    @Test func requestsAreSharedOutInTurn() async throws {
        let backends = Backends()
        try await backends.run(["one", "two"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("*.edge.localhost", version: 1, ports: ports)
                for _ in 0..<20 { #expect(try await edge.send("any.edge.localhost").status == 200) }
                #expect(backends.count("one") == 10)
                #expect(backends.count("two") == 10)
            }
        }
    }
}
