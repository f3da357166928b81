import CLibSSH
import CSystemCalls
import Glibc

/// Owns the listening socket and libssh's bind object, which holds the host keys.
///
/// Used by the accept thread only, after the initializer.
@safe final class ListenerHandle: @unchecked Sendable {
    // Invariant: `bind` is touched by the initializer, then by the accept thread only, then by deinit.
    private let bind: ssh_bind
    let socket: Int32
    let port: Int
    private static let library: Bool = ssh_init() == SSH_OK

    init(host: String, port: Int, keys: HostKeys) throws(SSHServerError) {
        guard Self.library, let bind = unsafe ssh_bind_new() else {
            throw SSHServerError(.listen, "the SSH library cannot be initialized")
        }
        unsafe self.bind = unsafe bind
        do {
            try unsafe Self.configure(bind, keys: keys)
            let address = try SocketAddress(host: host, port: port)
            socket = try address.listen()
            self.port = SocketAddress.localPort(of: socket)
        } catch {
            unsafe ssh_bind_free(bind)
            throw error
        }
    }

    deinit {
        unsafe ssh_bind_free(bind)
        close(socket)
    }

    private static func configure(_ bind: ssh_bind, keys: HostKeys) throws(SSHServerError) {
        var readsSystemFile = false
        var isSet = unsafe ssh_bind_options_set(bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &readsSystemFile) == 0
        for path in keys.paths {
            isSet = unsafe ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HOSTKEY, path) == 0 && isSet
        }
        guard isSet else { throw SSHServerError(.hostKey, "the SSH library refuses the host keys") }
    }

    /// Takes a waiting connection; nil when there is none (any more).
    func accept() -> Descriptor? {
        let number = syscalls_accept_cloexec(socket)
        return number < 0 ? nil : Descriptor(number)
    }

    /// Makes an SSH session of a connection.
    func makeSession(_ connection: Descriptor) throws(SSHServerError) -> SessionHandle {
        guard let session = unsafe ssh_new() else { throw SSHServerError(.session, "out of memory") }
        // From here on libssh owns the descriptor and closes it with the session.
        let number = connection.release()
        guard unsafe ssh_bind_accept_fd(bind, session, number) == SSH_OK else {
            let reason = unsafe String(cString: ssh_get_error(UnsafeMutableRawPointer(bind)))
            unsafe ssh_free(session)
            close(number)
            throw SSHServerError(.session, reason)
        }
        return try unsafe SessionHandle(session)
    }
}
