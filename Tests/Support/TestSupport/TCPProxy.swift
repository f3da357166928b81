import ConcurrencyPrimitives
import Glibc
import Synchronization

/// Stands between a client and a server on loopback and fails as networks do: refuses, cuts, falls silent.
package final class TCPProxy: Sendable {
    private struct Link {
        let client: CInt
        let server: CInt
    }

    private struct State {
        var listener: CInt = -1
        var links: [Int: Link] = [:]
        var nextID = 0
        var isSilent = false
    }

    /// Where clients connect to.
    package let port: UInt16
    private let target: UInt16
    private let state = Mutex(State())

    /// - Parameter isOpen: whether it accepts connections from the beginning; otherwise the port refuses.
    package init(to target: UInt16, isOpen: Bool = true) throws {
        self.target = target
        let probe = try Self.listen(port: 0)
        port = Self.port(of: probe)
        if isOpen { serve(probe) } else { Glibc.close(probe) }
    }

    deinit { refuse() }

    /// Accepts connections, on the same port as before.
    package func accept() throws {
        serve(try Self.listen(port: port))
    }

    /// Refuses new connections and cuts the present ones.
    package func refuse() {
        let listener = state.withLock { state in
            defer { state.listener = -1 }
            return state.listener
        }
        if listener >= 0 { shutdown(listener, CInt(SHUT_RDWR)) }
        cut()
    }

    /// Cuts the present connections; new ones are accepted if they were before.
    package func cut() {
        state.withLock { state in
            for link in state.links.values {
                shutdown(link.client, CInt(SHUT_RDWR))
                shutdown(link.server, CInt(SHUT_RDWR))
            }
        }
    }

    /// Forwards nothing more while connections stay open, or forwards again.
    package func setSilent(_ isSilent: Bool) {
        state.withLock { $0.isSilent = isSilent }
    }

    /// Number of connections at this moment.
    package var connectionCount: Int { state.withLock { $0.links.count } }

    private func serve(_ listener: CInt) {
        state.withLock { $0.listener = listener }
        OperatingSystemThread.start(name: "proxy", stackSize: 128 << 10) { [weak self] in
            while true {
                let client = Glibc.accept(listener, nil, nil)
                guard client >= 0, let self else { break }
                self.link(client)
            }
            Glibc.close(listener)
        }
    }

    private func link(_ client: CInt) {
        let server = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(target)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            Glibc.close(client)
            Glibc.close(server)
            return
        }
        let id = state.withLock { state in
            state.nextID += 1
            state.links[state.nextID] = Link(client: client, server: server)
            return state.nextID
        }
        OperatingSystemThread.start(name: "proxy-link", stackSize: 256 << 10) { [self] in
            forward(client, server)
            state.withLock { state in
                state.links[id] = nil
                Glibc.close(client)
                Glibc.close(server)
            }
        }
    }

    private func forward(_ client: CInt, _ server: CInt) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let isSilent = state.withLock { $0.isSilent }
            let wanted = isSilent ? 0 : Int16(POLLIN)
            var descriptors = [
                pollfd(fd: client, events: wanted, revents: 0), pollfd(fd: server, events: wanted, revents: 0),
            ]
            poll(&descriptors, 2, 20)
            for (index, output) in [(0, server), (1, client)] where descriptors[index].revents != 0 {
                let count = recv(descriptors[index].fd, &buffer, buffer.count, 0)
                guard count > 0, Self.sendAll(buffer[..<count], to: output) else { return }
            }
        }
    }

    private static func sendAll(_ bytes: ArraySlice<UInt8>, to descriptor: CInt) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    private static func loopback(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private static func listen(port: UInt16) throws -> CInt {
        let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var reuse: CInt = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<CInt>.size))
        var address = loopback(port)
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard bound == 0, Glibc.listen(listener, 64) == 0 else {
            Glibc.close(listener)
            throw ProxyError(port: port)
        }
        return listener
    }

    private static func port(of listener: CInt) -> UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
        }
        return UInt16(bigEndian: address.sin_port)
    }
}

/// The proxy could not listen.
package struct ProxyError: Error {
    package let port: UInt16
}
