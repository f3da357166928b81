import Hummingbird
import TestSupport

/// Runs `body` with the address of a server that answers with `routes`, on loopback or on a unix socket.
func withServer(
    unixSocket: String? = nil,
    routes: (Router<BasicRequestContext>) -> Void,
    _ body: @escaping @Sendable (String) async throws -> Void
) async throws {
    let router = Router()
    routes(router)
    try await withTestServer(router, unixSocket: unixSocket) { port in
        try await body(unixSocket == nil ? "http://127.0.0.1:\(port)" : "http://unix")
    }
}
