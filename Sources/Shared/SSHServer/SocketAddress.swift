import Glibc

/// A numeric address and port, and the socket calls that need one.
struct SocketAddress {
    private var storage = sockaddr_storage()
    private let length: socklen_t

    init(host: String, port: Int) throws(SSHServerError) {
        var hints = unsafe addrinfo()
        unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, String(port), &hints, &list) == 0, let first = unsafe list else {
            throw SSHServerError(.listen, "\(host) port \(port) is no numeric address to listen on")
        }
        defer { unsafe freeaddrinfo(first) }
        length = unsafe first.pointee.ai_addrlen
        unsafe withUnsafeMutableBytes(of: &storage) { space in
            unsafe space.copyMemory(from: UnsafeRawBufferPointer(start: first.pointee.ai_addr, count: Int(length)))
        }
    }

    /// A nonblocking listening socket bound to this address.
    func listen() throws(SSHServerError) -> Int32 {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let socket = Glibc.socket(Int32(storage.ss_family), type, 0)
        guard socket >= 0 else { throw SSHServerError(.listen, "cannot make a socket: \(systemErrorText(errno))") }
        SocketOption.set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
        var storage = storage
        let isBound = unsafe withUnsafePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe Glibc.bind(socket, $0, length) }
        }
        guard isBound == 0, Glibc.listen(socket, 512) == 0 else {
            let reason = systemErrorText(errno)
            close(socket)
            throw SSHServerError(.listen, "cannot listen: \(reason)")
        }
        return socket
    }

    static func localPort(of socket: Int32) -> Int {
        let (_, port) = unsafe describe { address, length in unsafe getsockname(socket, address, length) }
        return Int(port) ?? 0
    }

    /// Numeric host and port of the other end; empty when the connection is gone already.
    static func peer(of socket: Int32) -> (host: String, port: String) {
        unsafe describe { address, length in unsafe getpeername(socket, address, length) }
    }

    private static func describe(
        _ ask: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> (host: String, port: String) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let isKnown = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe ask(address, &length) == 0
                    && getnameinfo(
                        address, length, &host, socklen_t(host.count), &port, socklen_t(port.count),
                        NI_NUMERICHOST | NI_NUMERICSERV) == 0
            }
        }
        guard isKnown else { return ("", "") }
        return (text(host), text(port))
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// Socket options as integers; an option the kernel does not know is left at its default.
enum SocketOption {
    static func set(_ socket: Int32, _ level: Int32, _ name: Int32, _ value: Int32) {
        var value = value
        _ = unsafe setsockopt(socket, level, name, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The peer has closed the connection and everything it sent has been read.
    static func isAtEnd(_ socket: Int32) -> Bool {
        var byte: UInt8 = 0
        let count = unsafe recv(socket, &byte, 1, Int32(MSG_PEEK) | Int32(MSG_DONTWAIT))
        return count == 0 || count < 0 && errno != EAGAIN && errno != EINTR
    }

    /// Small packets at once; a peer that acknowledges nothing for `peerLimit` is gone.
    static func prepareConnection(_ socket: Int32, peerLimit: Duration) {
        set(socket, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        set(socket, SOL_SOCKET, SO_KEEPALIVE, 1)
        set(socket, Int32(IPPROTO_TCP), TCP_KEEPIDLE, 60)
        set(socket, Int32(IPPROTO_TCP), TCP_KEEPINTVL, 20)
        set(socket, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Int32(peerLimit / .milliseconds(1)))
    }
}
