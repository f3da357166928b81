import Foundation
import Glibc

/// A TCP connection for what no HTTP client would send. Blocking, each wait at most some seconds.
final class RawConnection: Sendable {
    private let descriptor: CInt

    init(port: Int) throws {
        let opened = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard opened >= 0 else { throw Failed() }
        descriptor = opened
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(opened, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(opened, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Failed() }
    }

    deinit { close(descriptor) }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw Failed()
        }
    }

    /// What comes next; empty when the peer has closed the connection.
    func receive() throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        if count < 0, errno == ECONNRESET { return [] }
        guard count >= 0 else { throw Failed() }
        return Array(bytes[..<count])
    }

    /// Everything up to and including `end`, and nothing behind it may have come.
    func receive(through end: String) throws -> String {
        var text = ""
        while !text.hasSuffix(end) {
            let bytes = try receive()
            guard !bytes.isEmpty else { return text }
            text += String(decoding: bytes, as: UTF8.self)
        }
        return text
    }

    struct Failed: Error {
        let number = errno
    }
}
