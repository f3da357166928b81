import Hummingbird
import Logging
import ServiceHTTP
import TestSupport
import Testing

/// The end of a server while clients connect.
@Suite(.timeLimit(.minutes(2))) struct ServerEndTests {
    /// Without ``ServedConnections`` the process ends by a trap.
    @Test func aServerThatEndsAmidConnectionsTrapsOnNone() async throws {
        let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
        for _ in 0..<30 {
            let (ports, continuation) = AsyncStream<Int>.makeStream()
            let router = Router()
            router.get("/") { _, _ in "here" }
            let service = HTTPService(
                router: router, listen: ListenAddress(host: "127.0.0.1", port: 0), logger: logger,
                onRunning: { continuation.yield($0) })
            let serving = Task { try await service.run() }
            for await port in ports {
                #expect(knock(at: port))
                async let storm: Void = knockOften(at: port)
                serving.cancel()
                await storm
                break
            }
            _ = await serving.result
        }
    }

    @concurrent private func knockOften(at port: Int) async {
        for _ in 0..<100 { _ = knock(at: port) }
    }
}

/// Connects and leaves at once.
///
/// - Returns: whether anybody listened.
private func knock(at port: Int) -> Bool {
    do {
        _ = try RawConnection(port: port)
        return true
    } catch {
        return false
    }
}
