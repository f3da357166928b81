import CLibRabbitMQ
import Glibc

/// Owns one librabbitmq connection and destroys it exactly once.
///
/// Belongs to the one thread that made it. After an error with ``isBroken`` nothing more can be done with it.
@safe final class AMQPHandle {
    let state: amqp_connection_state_t
    /// Whether the connection is of no further use.
    private(set) var isBroken = false
    /// Which opening of a channel is the present one; deliveries of an earlier one cannot be settled any more.
    private(set) var generations: [UInt16: Int] = [:]
    private var lastGeneration: Int

    private static let frameLimit: CInt = 131_072
    private static let connectLimit = timeval(tv_sec: 3, tv_usec: 0)
    private static let answerLimit = timeval(tv_sec: 10, tv_usec: 0)

    /// Connects and logs in; blocks for at most about ten seconds.
    ///
    /// - Parameter generation: larger than any generation of earlier connections.
    init(_ address: AMQPAddress, name: String, generation: Int) throws(AMQPError) {
        lastGeneration = generation
        guard let state = unsafe amqp_new_connection() else { throw AMQPError(.unavailable, "out of memory") }
        unsafe self.state = unsafe state
        let socket = try unsafe openableSocket(address)
        var connectLimit = Self.connectLimit
        let code = unsafe amqp_socket_open_noblock(socket, address.host, CInt(address.port), &connectLimit)
        guard code == 0 else { throw AMQPError(.unavailable, Self.text(code)) }
        var answerLimit = Self.answerLimit
        unsafe amqp_set_handshake_timeout(state, &answerLimit)
        unsafe amqp_set_rpc_timeout(state, &answerLimit)
        try logIn(address, name: name)
    }

    deinit { unsafe amqp_destroy_connection(state) }

    private func openableSocket(_ address: AMQPAddress) throws(AMQPError) -> OpaquePointer {
        guard address.isEncrypted else {
            guard let socket = unsafe amqp_tcp_socket_new(state) else { throw AMQPError(.unavailable, "no socket") }
            return unsafe socket
        }
        guard let socket = unsafe amqp_ssl_socket_new(state) else { throw AMQPError(.unavailable, "no TLS socket") }
        unsafe amqp_ssl_socket_set_verify_peer(socket, 1)
        unsafe amqp_ssl_socket_set_verify_hostname(socket, 1)
        // Where the distribution keeps the public authorities; a private one is named by the URL.
        let trusted = address.certificateFile ?? "/etc/ssl/certs/ca-certificates.crt"
        guard unsafe amqp_ssl_socket_set_cacert(socket, trusted) == 0 else {
            throw AMQPError(.unavailable, "cannot read the certificates in \(trusted)")
        }
        return unsafe socket
    }

    private func logIn(_ address: AMQPAddress, name: String) throws(AMQPError) {
        let arena = AMQPArena()
        var properties = unsafe arena.table([
            "connection_name": .string(name), "product": "workflow",
            "capabilities": .table(["authentication_failure_close": true, "consumer_cancel_notify": true]),
        ])
        let reply = unsafe withExtendedLifetime(arena) {
            unsafe amqp_shim_login_plain_named(
                state, address.virtualHost, 0, Self.frameLimit, CInt(address.heartbeat), &properties, address.user,
                address.password)
        }
        do throws(AMQPError) {
            try unsafe check(reply, channel: 0)
        } catch {
            throw error.code == .accessRefused ? error : AMQPError(.unavailable, error.detail)
        }
    }

    var socket: CInt { unsafe amqp_get_sockfd(state) }

    /// Whether frames can be read without waiting for the socket.
    var hasBufferedInput: Bool { unsafe amqp_frames_enqueued(state) != 0 || amqp_data_in_buffer(state) != 0 }

    func openChannel(_ channel: UInt16) throws(AMQPError) {
        unsafe amqp_channel_open(state, channel)
        try checkLast(channel)
        lastGeneration += 1
        generations[channel] = lastGeneration
    }

    /// Closes a channel; what was delivered on it and not settled goes back to its queue.
    func closeChannel(_ channel: UInt16) throws(AMQPError) {
        guard generations.removeValue(forKey: channel) != nil else { return }
        try unsafe check(amqp_channel_close(state, channel, 200), channel: channel)
        unsafe amqp_maybe_release_buffers_on_channel(state, channel)
    }

    /// Puts back all that was delivered on a channel and not settled, in the order in which it lay.
    ///
    /// Closing the channel does so too, but the broker says it is closed before it has, and leaves the order open.
    func requeueAll(_ channel: UInt16) throws(AMQPError) {
        guard generations[channel] != nil else { return }
        try check(unsafe amqp_basic_nack(state, channel, 0, 1, 1))
    }

    /// Notes that a channel is gone, and confirms that to the broker.
    func didClose(_ channel: UInt16) {
        generations[channel] = nil
        var confirmation = amqp_channel_close_ok_t()
        // A failure shows up again at the next use of the connection.
        _ = unsafe amqp_send_method(state, channel, amqp_method_number_t(AMQPMethod.channelCloseOK), &confirmation)
    }

    /// Says goodbye to the broker, so that it logs no lost connection.
    func close() {
        if !isBroken { _ = unsafe amqp_connection_close(state, 200) }
        isBroken = true
    }

    func giveUp() { isBroken = true }

    /// The last generation of this connection, from which the next one goes on.
    var generation: Int { lastGeneration }

    // MARK: - Results

    /// Throws when the last synchronous call failed.
    func checkLast(_ channel: UInt16) throws(AMQPError) {
        try unsafe check(amqp_get_rpc_reply(state), channel: channel)
    }

    /// Throws when a call that answers a status failed, which always means a broken connection.
    func check(_ status: CInt) throws(AMQPError) {
        guard status < 0 else { return }
        isBroken = true
        throw AMQPError(.connectionLost, Self.text(status))
    }

    func check(_ reply: amqp_rpc_reply_t, channel: UInt16) throws(AMQPError) {
        switch unsafe reply.reply_type {
        case AMQP_RESPONSE_NORMAL: return
        case AMQP_RESPONSE_SERVER_EXCEPTION:
            let failure = unsafe AMQPMethod.closeReason(reply.reply)
            if unsafe reply.reply.id == AMQPMethod.channelClose {
                didClose(channel)
                throw failure
            }
            isBroken = true
            throw failure.code == .accessRefused ? failure : AMQPError(.connectionLost, failure.detail)
        default:
            isBroken = true
            throw AMQPError(.connectionLost, Self.text(unsafe reply.library_error))
        }
    }

    static func text(_ code: CInt) -> String {
        unsafe String(cString: amqp_error_string2(code))
    }
}
