import CommandRunner
import CurlTransfer
import HTTPTypes
import OpenSSLCrypto
import RouterService
import TestSupport
import Testing

/// Bodies that are large or come slowly.
@Suite(.timeLimit(.minutes(2))) struct EdgeBodyTests {
    @Test func aLargeBodyArrivesWhole() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: ports)
                let file = "\(edge.settings.directory)/large"
                try await CommandRunner.check(Command("dd", ["if=/dev/urandom", "of=\(file)", "bs=1M", "count=64"]))
                let expected = try await CommandRunner.check(Command("sha256sum", ["--", file])).text.prefix(64)
                var request = edge.request("shop.edge.localhost", "/digest", method: .post, body: .file(file))
                request.timeout = .seconds(60)
                let response = try await edge.client.send(request)
                #expect(response.status == 200)
                #expect(response.text == expected)
            }
        }
    }

    @Test func aBodyPastTheLimitIsRefusedWithAPage() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with(change: { $0.bodyLimitMiB = 1 }) { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: ports)
                let body = [UInt8](repeating: 7, count: (1 << 20) + 1)
                let refused = try await edge.send("shop.edge.localhost", method: .post, body: .bytes(body))
                #expect(refused.status == 413)
                #expect(refused.text.contains("Request too large"))
                let fits = try await edge.send(
                    "shop.edge.localhost", method: .post, body: .bytes(Array(body.dropLast())))
                #expect(fits.status == 200)
                #expect(backends.count("one") == 1)
            }
        }
    }

    /// Each part is there before the backend is allowed to write the next.
    @Test func anAnswerIsPassedOnAsItComes() async throws {
        let backends = Backends()
        try await backends.run(["one"]) { ports in
            try await EdgeFixture.with { edge in
                try await edge.serve("shop.edge.localhost", version: 1, ports: ports)
                backends.releaseLine()
                let response = try await edge.client.stream(edge.request("shop.edge.localhost", "/slow"))
                #expect(response.status == 200)
                var parts = response.body.makeAsyncIterator()
                for number in 1...3 {
                    let part = try #require(try await parts.next())
                    #expect(String(decoding: part, as: UTF8.self) == "line \(number)\n")
                    backends.releaseLine()
                }
                #expect(try await parts.next() == nil)
            }
        }
    }
}
