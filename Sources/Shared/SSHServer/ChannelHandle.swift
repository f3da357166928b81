import CLibSSH

/// What the peer of a channel does; called on the connection's thread from within ``SessionHandle/pump()``.
protocol ChannelEvents: AnyObject {
    /// Takes bytes of input and answers how many were used; the rest stays with the channel.
    func receive(_ bytes: RawSpan) -> Int
    func receiveEndOfInput()
    func receiveClose()
    func receiveEnvironment(name: String, value: String)
    /// Whether the command is accepted.
    func receive(command: String) -> Bool
}

/// Owns one libssh channel.
@safe final class ChannelHandle {
    private let channel: ssh_channel
    private let callbacks: UnsafeMutablePointer<ssh_channel_callbacks_struct>
    fileprivate weak var events: (any ChannelEvents)?

    init(_ channel: ssh_channel, events: any ChannelEvents) {
        unsafe self.channel = unsafe channel
        self.events = events
        unsafe callbacks = .allocate(capacity: 1)
        unsafe callbacks.initialize(to: ssh_channel_callbacks_struct())
        unsafe ssh_shim_init_channel_callbacks(callbacks)
        unsafe callbacks.pointee.userdata = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe callbacks.pointee.channel_data_function = receiveData
        unsafe callbacks.pointee.channel_eof_function = receiveEndOfInput
        unsafe callbacks.pointee.channel_close_function = receiveClose
        unsafe callbacks.pointee.channel_env_request_function = receiveEnvironment
        unsafe callbacks.pointee.channel_exec_request_function = receiveCommand
        unsafe ssh_set_channel_callbacks(channel, callbacks)
    }

    deinit {
        unsafe ssh_remove_channel_callbacks(channel, callbacks)
        unsafe ssh_channel_free(channel)
        unsafe callbacks.deallocate()
    }

    /// How many bytes the peer takes now.
    var window: Int { unsafe Int(ssh_channel_window_size(channel)) }

    /// Queues bytes for the peer and answers how many were taken, nil when the channel is broken.
    func write(_ bytes: RawSpan, isError: Bool) -> Int? {
        unsafe bytes.withUnsafeBytes { buffer in
            let count =
                isError
                ? unsafe ssh_channel_write_stderr(channel, buffer.baseAddress, UInt32(buffer.count))
                : unsafe ssh_channel_write(channel, buffer.baseAddress, UInt32(buffer.count))
            if count == SSH_AGAIN { return 0 }
            return count < 0 ? nil : Int(count)
        }
    }

    /// Reads input that ``ChannelEvents/receive(_:)`` had left; 0 when there is none.
    func read(into buffer: inout [UInt8]) -> Int {
        unsafe buffer.withUnsafeMutableBytes { space in
            let count = unsafe ssh_channel_read_nonblocking(channel, space.baseAddress, UInt32(space.count), 0)
            return max(0, Int(count))
        }
    }

    /// Tells the peer the exit status and that nothing more comes.
    func finish(status: Int) {
        _ = unsafe ssh_channel_request_send_exit_status(channel, CInt(status))
        _ = unsafe ssh_channel_send_eof(channel)
        _ = unsafe ssh_channel_close(channel)
    }
}

private func events(_ context: UnsafeMutableRawPointer?) -> (any ChannelEvents)? {
    guard let context = unsafe context else { return nil }
    return unsafe Unmanaged<ChannelHandle>.fromOpaque(context).takeUnretainedValue().events
}

private func receiveData(
    _: ssh_session?, _: ssh_channel?, data: UnsafeMutableRawPointer?, count: UInt32, isError: CInt,
    context: UnsafeMutableRawPointer?
) -> CInt {
    // Clients have no second input stream; what claims to be one is dropped.
    guard isError == 0, let data = unsafe data else { return CInt(count) }
    let buffer = unsafe UnsafeRawBufferPointer(start: data, count: Int(count))
    return unsafe CInt(events(context)?.receive(buffer.bytes) ?? Int(count))
}

private func receiveEndOfInput(_: ssh_session?, _: ssh_channel?, context: UnsafeMutableRawPointer?) {
    unsafe events(context)?.receiveEndOfInput()
}

private func receiveClose(_: ssh_session?, _: ssh_channel?, context: UnsafeMutableRawPointer?) {
    unsafe events(context)?.receiveClose()
}

private func receiveEnvironment(
    _: ssh_session?, _: ssh_channel?, name: UnsafePointer<CChar>?, value: UnsafePointer<CChar>?,
    context: UnsafeMutableRawPointer?
) -> CInt {
    if let name = unsafe name, let value = unsafe value {
        unsafe events(context)?.receiveEnvironment(name: String(cString: name), value: String(cString: value))
    }
    return 0
}

private func receiveCommand(
    _: ssh_session?, _: ssh_channel?, command: UnsafePointer<CChar>?, context: UnsafeMutableRawPointer?
) -> CInt {
    guard let command = unsafe command else { return 1 }
    return unsafe events(context)?.receive(command: String(cString: command)) ?? false ? 0 : 1
}
