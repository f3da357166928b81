import Glibc
import TestSupport

/// A server too busy to accept: its queue is full, so that the kernel drops what comes.
final class FullListener: Sendable {
    let port: Int
    private let descriptors: [CInt]

    init() throws {
        let (listener, port) = try Self.bound()
        guard listen(listener, 0) == 0 else { throw CannotListen() }
        // A queue of no length takes one connection; what is sent after that stays unanswered.
        descriptors = [listener] + (0..<3).map { _ in Self.connecting(to: port) }
        self.port = port
    }

    deinit { for descriptor in descriptors { close(descriptor) } }

    private static func bound() throws -> (descriptor: CInt, port: Int) {
        let port = try freePort()
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        guard withAddress(port, { bind(descriptor, $0, $1) }) == 0 else { throw CannotListen() }
        return (descriptor, port)
    }

    private static func connecting(to port: Int) -> CInt {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
        _ = withAddress(port) { connect(descriptor, $0, $1) }
        return descriptor
    }

    private static func withAddress<Result>(
        _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        return withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

private struct CannotListen: Error {}
