import CLibCurl

/// Owns libcurl's multi handle and frees it exactly once. Used by the transfer thread, but for ``wakeUp()``.
@safe final class MultiHandle: @unchecked Sendable {
    // `wakeUp` is the one call libcurl allows from any thread; all others are made by the transfer thread alone.
    private let pointer: UnsafeMutableRawPointer

    private static let isReady: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    init() throws(TransferError) {
        guard Self.isReady, let pointer = unsafe curl_multi_init() else {
            throw TransferError(.clientFailed, peer: "", detail: "libcurl could not be initialised.")
        }
        unsafe self.pointer = pointer
        _ = unsafe curl_shim_multi_set_long(pointer, CURLMOPT_PIPELINING, Int(CURLPIPE_MULTIPLEX))
        _ = unsafe curl_shim_multi_set_long(pointer, CURLMOPT_MAXCONNECTS, 256)
    }

    deinit { _ = unsafe curl_multi_cleanup(pointer) }

    func wakeUp() { _ = unsafe curl_multi_wakeup(pointer) }

    func add(_ easy: EasyHandle) -> Bool { unsafe curl_multi_add_handle(pointer, easy.pointer) == CURLM_OK }

    func remove(_ easy: EasyHandle) { _ = unsafe curl_multi_remove_handle(pointer, easy.pointer) }

    func perform() {
        var running: Int32 = 0
        _ = unsafe curl_multi_perform(pointer, &running)
    }

    /// Waits for a socket, a timer of libcurl, a wake-up, or the given time.
    func wait(milliseconds: Int32) {
        var ready: Int32 = 0
        _ = unsafe curl_multi_poll(pointer, nil, 0, milliseconds, &ready)
    }

    /// The next transfer that ended, with libcurl's result.
    func nextFinished() -> (transfer: Transfer, result: CURLcode)? {
        var remaining: Int32 = 0
        while let message = unsafe curl_multi_info_read(pointer, &remaining) {
            guard unsafe message.pointee.msg == CURLMSG_DONE else { continue }
            let result = unsafe message.pointee.data.result
            var context: UnsafeMutableRawPointer?
            _ = unsafe curl_shim_get_pointer(message.pointee.easy_handle, CURLINFO_PRIVATE, &context)
            guard let context = unsafe context else { continue }
            return unsafe (Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue(), result)
        }
        return nil
    }
}
