import Glibc
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
                #expect(knock(at: UInt16(port)))
                async let storm: Void = knockOften(at: UInt16(port))
                serving.cancel()
                await storm
                break
            }
            _ = await serving.result
        }
    }

    @concurrent private func knockOften(at port: UInt16) async {
        for _ in 0..<100 { _ = knock(at: port) }
    }
}

/// Connects and leaves at once.
///
/// - Returns: whether anybody listened.
private func knock(at port: UInt16) -> Bool {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    } == 0
}
