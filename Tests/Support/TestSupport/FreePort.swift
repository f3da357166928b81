import Glibc
import Synchronization

/// A TCP port on the loopback address that nobody listens on, handed out once in this process.
///
/// Taken from below the range the kernel gives to connections (32768 and up, `ip_local_port_range`): a port of that
/// range may become the local end of somebody's connection before the server that was promised it has started.
package func freePort() throws -> Int {
    for _ in 0..<handedOut.count {
        let port = handedOut.next()
        // One that cannot be bound is somebody's; the next is tried.
        if (try? RefusingPort(port)) != nil { return port }
    }
    throw NoFreePort()
}

private let handedOut = HandedOutPorts()

private final class HandedOutPorts: Sendable {
    private let range = 20_000..<32_000
    /// Processes that test side by side begin at different places.
    private let turn = Mutex(Int(getpid()) * 97)

    var count: Int { range.count }

    func next() -> Int {
        turn.withLock { turn in
            turn += 1
            return range.lowerBound + turn % range.count
        }
    }
}

/// A TCP port on the loopback address that refuses connections as long as this lives: bound, and not listened on.
package final class RefusingPort: Sendable {
    package let number: Int
    private let descriptor: CInt

    /// The kernel chooses the port where none is named.
    package init(_ wanted: Int = 0) throws {
        // A program started meanwhile would hold the port as long as it runs.
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw NoFreePort() }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(wanted).bigEndian
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                bind(descriptor, generic, length) == 0 && getsockname(descriptor, generic, &length) == 0
            }
        }
        guard bound else {
            close(descriptor)
            throw NoFreePort()
        }
        self.descriptor = descriptor
        number = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}

package struct NoFreePort: Error {}
