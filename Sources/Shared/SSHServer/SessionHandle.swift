import CLibSSH
import Glibc

/// What the peer of a connection does; called on the connection's thread from within ``SessionHandle/pump()``.
protocol SessionEvents: AnyObject {
    /// Whether `key` may sign (`isSigned` false), or may come in because its signature is valid (`isSigned` true).
    func judge(_ key: SSHOfferedKey, isSigned: Bool) -> Bool
    /// The client has no further key; answers the text to show, if any.
    func keysAreExhausted() -> String?
    /// Takes a new channel, or answers nil to refuse it.
    func openChannel() -> (any ChannelEvents)?
    /// The channel asked for by ``openChannel()``.
    func opened(_ channel: ChannelHandle)
}

/// Owns one libssh session with its event loop object.
@safe final class SessionHandle: @unchecked Sendable {
    // Invariant: used by the accept thread until the connection's thread starts, then by that thread only. The callback
    // structure is freed after the session that points to it.
    private let session: ssh_session
    private let event: ssh_event
    private let callbacks: UnsafeMutablePointer<ssh_server_callbacks_struct>
    private var isPolled = false
    weak var events: (any SessionEvents)?
    let socket: Int32

    init(_ session: ssh_session) throws(SSHServerError) {
        guard let event = unsafe ssh_event_new() else {
            unsafe ssh_free(session)
            throw SSHServerError(.session, "out of memory")
        }
        unsafe self.session = unsafe session
        unsafe self.event = unsafe event
        unsafe callbacks = .allocate(capacity: 1)
        unsafe callbacks.initialize(to: ssh_server_callbacks_struct())
        unsafe ssh_shim_init_server_callbacks(callbacks)
        socket = unsafe ssh_get_fd(session)
    }

    deinit {
        if isPolled { unsafe ssh_event_remove_session(event, session) }
        unsafe ssh_event_free(event)
        unsafe ssh_disconnect(session)
        unsafe ssh_free(session)
        unsafe callbacks.deallocate()
    }

    /// Makes the session nonblocking, routes its events to ``events`` and offers public keys only.
    ///
    /// `keyboard-interactive` is offered as well, never to succeed: a client tries it when its keys are used up,
    /// which is
    /// the one moment to tell a person why none of them was taken.
    func prepare() {
        unsafe ssh_set_blocking(session, 0)
        unsafe callbacks.pointee.userdata = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe callbacks.pointee.auth_pubkey_function = receivePublicKey
        unsafe callbacks.pointee.channel_open_request_session_function = receiveChannelOpen
        unsafe ssh_set_server_callbacks(session, callbacks)
        unsafe ssh_set_message_callback(session, receiveMessage, Unmanaged.passUnretained(self).toOpaque())
        unsafe ssh_set_auth_methods(session, Int32(SSH_AUTH_METHOD_PUBLICKEY | SSH_AUTH_METHOD_INTERACTIVE))
    }

    /// Advances the key exchange: true when it is done, false when it waits for the peer, nil when it failed.
    func exchangeKeys() -> Bool? {
        switch unsafe ssh_handle_key_exchange(session) {
        case SSH_OK:
            isPolled = unsafe ssh_event_add_session(event, session) == SSH_OK
            return isPolled ? true : nil
        case SSH_AGAIN: return false
        default: return nil
        }
    }

    /// Reads and writes what can be without blocking and delivers events; false when the connection is over.
    func pump() -> Bool {
        for _ in 0..<64 {
            let code = unsafe ssh_event_dopoll(event, 0)
            if code == SSH_ERROR { return false }
            if code != SSH_OK { break }
        }
        return isConnected
    }

    var isConnected: Bool {
        unsafe ssh_is_connected(session) != 0 && ssh_get_status(session) & (SSH_CLOSED | SSH_CLOSED_ERROR) == 0
    }

    /// Bytes wait for the socket.
    var isWritePending: Bool { unsafe ssh_get_poll_flags(session) & SSH_WRITE_PENDING != 0 }

    func sendKeepAlive() { _ = unsafe ssh_send_keepalive(session) }

    /// The library's reason for the last failure; for logs.
    var failure: String { unsafe String(cString: ssh_get_error(UnsafeMutableRawPointer(session))) }

    /// Shows a text to a client that has not signed in.
    func sendBanner(_ text: String) {
        guard let string = unsafe ssh_string_from_char(text) else { return }
        _ = unsafe ssh_send_issue_banner(session, string)
        unsafe ssh_string_free(string)
    }

    fileprivate func makeChannel() -> ssh_channel? {
        guard let owner = events?.openChannel(), let channel = unsafe ssh_channel_new(session) else { return nil }
        let handle = unsafe ChannelHandle(channel, events: owner)
        events?.opened(handle)
        return unsafe channel
    }

    fileprivate func judge(_ key: ssh_key, isSigned: Bool) -> Bool {
        guard let offered = unsafe SSHOfferedKey(key) else { return false }
        return events?.judge(offered, isSigned: isSigned) ?? false
    }

    fileprivate func keysAreExhausted() {
        if let text = events?.keysAreExhausted() { sendBanner(text) }
    }
}

extension SSHOfferedKey {
    init?(_ key: ssh_key) {
        guard let sha256 = unsafe Self.digest(of: key, SSH_PUBLICKEY_HASH_SHA256),
            let md5 = unsafe Self.digest(of: key, SSH_PUBLICKEY_HASH_MD5),
            let type = unsafe ssh_key_type_to_char(ssh_key_type(key))
        else { return nil }
        let base64 = unsafe sha256.withUnsafeBufferPointer { bytes -> String? in
            guard
                let text = unsafe ssh_get_fingerprint_hash(
                    SSH_PUBLICKEY_HASH_SHA256, UnsafeMutablePointer(mutating: bytes.baseAddress), bytes.count)
            else { return nil }
            defer { unsafe ssh_string_free_char(text) }
            return unsafe String(cString: text)
        }
        guard let base64 else { return nil }
        let digits = Array("0123456789abcdef")
        let pairs = md5.map { String([digits[Int($0 >> 4)], digits[Int($0 & 15)]]) }
        self.init(sha256: base64, md5: pairs.joined(separator: ":"), type: unsafe String(cString: type))
    }

    private static func digest(of key: ssh_key, _ kind: ssh_publickey_hash_type) -> [UInt8]? {
        var bytes: UnsafeMutablePointer<UInt8>?
        var count = 0
        guard unsafe ssh_get_publickey_hash(key, kind, &bytes, &count) == 0, let start = unsafe bytes else {
            return nil
        }
        defer { unsafe ssh_clean_pubkey_hash(&bytes) }
        return unsafe Array(UnsafeBufferPointer(start: start, count: count))
    }
}

private func handle(_ context: UnsafeMutableRawPointer?) -> SessionHandle? {
    guard let context = unsafe context else { return nil }
    return unsafe Unmanaged<SessionHandle>.fromOpaque(context).takeUnretainedValue()
}

private func receivePublicKey(
    _: ssh_session?, _: UnsafePointer<CChar>?, key: ssh_key?, state: CChar, context: UnsafeMutableRawPointer?
) -> CInt {
    let isSigned = state == CChar(SSH_PUBLICKEY_STATE_VALID.rawValue)
    guard isSigned || state == CChar(SSH_PUBLICKEY_STATE_NONE.rawValue), let key = unsafe key,
        let handle = unsafe handle(context), unsafe handle.judge(key, isSigned: isSigned)
    else { return CInt(SSH_AUTH_DENIED.rawValue) }
    return CInt(SSH_AUTH_SUCCESS.rawValue)
}

private func receiveChannelOpen(_: ssh_session?, context: UnsafeMutableRawPointer?) -> ssh_channel? {
    unsafe handle(context)?.makeChannel()
}

/// Sees every request no other callback served; answering 1 makes the library refuse it.
private func receiveMessage(_: ssh_session?, message: ssh_message?, context: UnsafeMutableRawPointer?) -> CInt {
    if let message = unsafe message, unsafe ssh_message_type(message) == CInt(SSH_REQUEST_AUTH.rawValue),
        unsafe ssh_message_subtype(message) == CInt(SSH_AUTH_METHOD_INTERACTIVE)
    {
        unsafe handle(context)?.keysAreExhausted()
    }
    return 1
}
