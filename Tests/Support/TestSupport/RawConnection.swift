import ConcurrencyPrimitives
import Glibc

/// A TCP connection for what no HTTP client would send. Waits some seconds at most.
package final class RawConnection: Sendable {
    /// Reading blocks, and the server may need the threads tasks run on.
    private static let readers = BlockingThreads(label: "raw-connections", count: 16, queueLimit: 1024)

    private let descriptor: CInt

    /// - Parameter source: the address it comes from, of those this machine has.
    package init(port: Int, from source: String? = nil) throws {
        let opened = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard opened >= 0 else { throw Failed() }
        descriptor = opened
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(opened, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        if let source {
            guard Self.withAddress(source, 0, { bind(opened, $0, $1) }) == 0 else { throw Failed() }
        }
        guard Self.withAddress("127.0.0.1", port, { connect(opened, $0, $1) }) == 0 else { throw Failed() }
    }

    private static func withAddress(
        _ host: String, _ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> CInt {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = inet_addr(host)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    deinit { close(descriptor) }

    package func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw Failed()
        }
    }

    /// Tells the peer that no more is sent.
    package func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// What comes next; empty when the peer has closed the connection.
    package func receive() async throws -> [UInt8] {
        try await Self.readers.run { [self] in
            var bytes = [UInt8](repeating: 0, count: 1 << 16)
            let count = recv(descriptor, &bytes, bytes.count, 0)
            if count < 0, errno == ECONNRESET { return [] }
            guard count >= 0 else { throw Failed() }
            return Array(bytes[..<count])
        }
    }

    /// Everything up to and including the last of so many `end`s, and nothing behind it may have come.
    package func receive(through end: String, times: Int = 1) async throws -> String {
        var text = ""
        while !text.hasSuffix(end) || text.ranges(of: end).count < times {
            let bytes = try await receive()
            guard !bytes.isEmpty else { return text }
            text += String(decoding: bytes, as: UTF8.self)
        }
        return text
    }

    package struct Failed: Error {
        let number = errno
    }
}
