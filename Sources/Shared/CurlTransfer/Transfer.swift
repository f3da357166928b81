import CLibCurl
import Glibc
import HTTPTypes

/// One transfer as libcurl's callbacks see it.
///
/// Made by the caller's task, then handed to the transfer thread with the command list's lock; from there on only that
/// thread touches it, which makes the unchecked sending sound.
final class Transfer: @unchecked Sendable {
    let id: TransferLoop.ID
    let easy: EasyHandle
    let peer: String
    private let response: ResponseChannel
    private var parser: HeadParser
    private var source: UploadSource
    private let idleTimeout: Duration?
    private var lastActivity = ContinuousClock.now
    private var isReceivingPaused = false
    private var isSendingPaused = false

    init(
        id: TransferLoop.ID, request: TransferRequest, response: ResponseChannel, upload: UploadChannel?
    ) throws(TransferError) {
        self.id = id
        self.response = response
        let peer = request.peer
        self.peer = peer
        idleTimeout = request.idleTimeout
        parser = HeadParser(followsRedirects: request.redirectLimit > 0)
        source = try UploadSource(request.body, channel: upload, peer: peer)
        easy = try EasyHandle(peer: peer)
        try easy.apply(request, bodyLength: source.length)
        try easy.attach(self, sendsBody: source.isPresent)
    }

    // MARK: - Called by the loop

    func noteActivity() { lastActivity = .now }

    /// When the transfer counts as stuck; nil while our own reader is the slow one.
    var idleDeadline: ContinuousClock.Instant? {
        guard let idleTimeout, !isReceivingPaused else { return nil }
        return lastActivity + idleTimeout
    }

    func resumeReceiving() {
        isReceivingPaused = false
        noteActivity()
        applyPauses()
    }

    func resumeSending() {
        isSendingPaused = false
        applyPauses()
    }

    private func applyPauses() {
        easy.setPaused(receiving: isReceivingPaused, sending: isSendingPaused)
    }

    func complete(_ result: CURLcode) {
        source.close()
        if let failure = source.failure {
            let error = TransferError(
                .bodyFailed, peer: peer, detail: "The source of the request's body failed.", underlying: failure)
            response.finish(throwing: failure is CancellationError ? failure : error)
        } else if let failure = EasyHandle.failure(result) {
            fail(failure.code, failure.detail)
        } else if let head = parser.pendingHead {
            response.deliver(head)
            response.finish()
        } else if parser.isDelivered {
            response.finish()
        } else {
            fail(.interrupted, "The connection ended inside the head of the response.")
        }
    }

    func fail(_ code: TransferError.Code, _ detail: String) {
        source.close()
        response.finish(throwing: TransferError(code, peer: peer, detail: detail))
    }

    func abandon() {
        source.close()
        response.finish(throwing: CancellationError())
    }

    // MARK: - Called by libcurl inside perform and unpause

    fileprivate func receiveHeader(_ line: UnsafeRawBufferPointer) {
        noteActivity()
        if let head = unsafe parser.consume(line) { response.deliver(head) }
    }

    fileprivate func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        noteActivity()
        if unsafe response.accept(bytes) { return bytes.count }
        isReceivingPaused = true
        return Int(CURL_WRITEFUNC_PAUSE)
    }

    fileprivate func send(into target: UnsafeMutableRawBufferPointer) -> Int {
        switch unsafe source.read(into: target) {
        case .bytes(let count):
            noteActivity()
            return count
        case .end: return 0
        case .failed: return Int(CURL_READFUNC_ABORT)
        case .later:
            isSendingPaused = true
            return Int(CURL_READFUNC_PAUSE)
        }
    }

    fileprivate func rewind(to offset: Int64) -> Bool { source.rewind(to: offset) }
}

// MARK: - The functions libcurl calls; each recovers its transfer and forwards.

private func transfer(of context: UnsafeMutableRawPointer?) -> Transfer? {
    guard let context = unsafe context else { return nil }
    return unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
}

private func onHeader(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    unsafe transfer(of: context)?.receiveHeader(UnsafeRawBufferPointer(start: buffer, count: size * count))
    return size * count
}

private func onBody(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    unsafe transfer(of: context)?.receive(UnsafeRawBufferPointer(start: buffer, count: size * count)) ?? 0
}

private func onRead(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    unsafe transfer(of: context)?.send(into: UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
        ?? Int(CURL_READFUNC_ABORT)
}

private func onSeek(_ context: UnsafeMutableRawPointer?, _ offset: curl_off_t, _ origin: Int32) -> Int32 {
    guard origin == SEEK_SET, unsafe transfer(of: context)?.rewind(to: Int64(offset)) == true else {
        return Int32(CURL_SEEKFUNC_CANTSEEK)
    }
    return Int32(CURL_SEEKFUNC_OK)
}

extension EasyHandle {
    /// Registers the callbacks. The transfer owns this handle and is removed from the loop before either goes, so
    /// libcurl never sees the address of a dead transfer.
    fileprivate func attach(_ transfer: Transfer, sendsBody: Bool) throws(TransferError) {
        let context = unsafe Unmanaged.passUnretained(transfer).toOpaque()
        try unsafe set(CURLOPT_PRIVATE, pointer: context)
        try unsafe set(CURLOPT_HEADERDATA, pointer: context)
        try unsafe set(CURLOPT_WRITEDATA, pointer: context)
        try unsafe set(CURLOPT_HEADERFUNCTION, callback: onHeader)
        try unsafe set(CURLOPT_WRITEFUNCTION, callback: onBody)
        guard sendsBody else { return }
        try unsafe set(CURLOPT_READDATA, pointer: context)
        try unsafe set(CURLOPT_READFUNCTION, callback: onRead)
        try unsafe check(curl_shim_set_seek(pointer, onSeek, context))
    }
}
