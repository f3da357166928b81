import CLibCurl
import HTTPTypes

/// Owns one libcurl easy handle with its header list and frees both exactly once.
@safe final class EasyHandle {
    let pointer: UnsafeMutableRawPointer
    private let peer: String
    private var headerList: UnsafeMutablePointer<curl_slist>?

    init(peer: String) throws(TransferError) {
        guard let pointer = unsafe curl_easy_init() else {
            throw TransferError(.clientFailed, peer: peer, detail: "libcurl could not make a transfer.")
        }
        unsafe self.pointer = pointer
        self.peer = peer
    }

    deinit {
        unsafe curl_easy_cleanup(pointer)
        unsafe curl_slist_free_all(headerList)
    }

    // MARK: - Options

    func check(_ result: CURLcode) throws(TransferError) {
        guard result != CURLE_OK else { return }
        throw TransferError(.invalidRequest, peer: peer, detail: "libcurl refused an option: \(Self.sentence(result)).")
    }

    func set(_ option: CURLoption, _ value: Int) throws(TransferError) {
        try check(unsafe curl_shim_set_long(pointer, option, value))
    }

    func set(_ option: CURLoption, offset: Int64) throws(TransferError) {
        try check(unsafe curl_shim_set_offset(pointer, option, curl_off_t(offset)))
    }

    func set(_ option: CURLoption, _ value: String) throws(TransferError) {
        guard !value.utf8.contains(0) else {
            throw TransferError(.invalidRequest, peer: peer, detail: "A value holds a zero byte.")
        }
        try check(unsafe curl_shim_set_string(pointer, option, value))
    }

    func set(_ option: CURLoption, blob text: String) throws(TransferError) {
        let bytes = Array(text.utf8)
        try check(unsafe curl_shim_set_blob(pointer, option, bytes, bytes.count))
    }

    /// Sets the body of a request; its length has to be set before.
    func set(copiedBody bytes: [UInt8]) throws(TransferError) {
        let result = unsafe bytes.withUnsafeBytes { bytes in
            unsafe curl_shim_set_pointer(
                pointer, CURLOPT_COPYPOSTFIELDS, UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        }
        try check(result)
    }

    func set(_ option: CURLoption, pointer value: UnsafeMutableRawPointer) throws(TransferError) {
        try check(unsafe curl_shim_set_pointer(pointer, option, value))
    }

    func set(_ option: CURLoption, callback: curl_shim_transfer_callback) throws(TransferError) {
        try check(unsafe curl_shim_set_callback(pointer, option, callback))
    }

    /// Sets the header lines; a nil value tells libcurl not to send a header of its own.
    func setHeaders(_ fields: HTTPFields, without suppressed: [String]) throws(TransferError) {
        var lines = fields.map { $0.value.isEmpty ? "\($0.name.rawName);" : "\($0.name.rawName): \($0.value)" }
        lines += suppressed.map { "\($0):" }
        for line in lines {
            guard let list = unsafe curl_slist_append(headerList, line) else {
                throw TransferError(.clientFailed, peer: peer, detail: "There is no memory for the headers.")
            }
            unsafe headerList = list
        }
        try check(unsafe curl_shim_set_list(pointer, CURLOPT_HTTPHEADER, headerList))
    }

    // MARK: - Running

    /// May call the transfer's callbacks before it returns.
    func setPaused(receiving: Bool, sending: Bool) {
        let flags = (receiving ? Int32(CURLPAUSE_RECV) : 0) | (sending ? Int32(CURLPAUSE_SEND) : 0)
        _ = unsafe curl_easy_pause(pointer, flags)
    }

    // MARK: - Results

    static func sentence(_ result: CURLcode) -> String {
        guard let text = unsafe curl_easy_strerror(result) else { return "unknown error" }
        return unsafe String(cString: text)
    }

    /// What libcurl's result means; nil for success.
    static func failure(_ result: CURLcode) -> (code: TransferError.Code, detail: String)? {
        guard result != CURLE_OK else { return nil }
        return (code(of: result), sentence(result) + ".")
    }

    private static func code(of result: CURLcode) -> TransferError.Code {
        switch result {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolveFailed
        case CURLE_COULDNT_CONNECT: .refused
        case CURLE_OPERATION_TIMEDOUT: .timeout
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_USE_SSL_FAILED:
            .tlsFailed
        case CURLE_GOT_NOTHING, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_PARTIAL_FILE, CURLE_HTTP2,
            CURLE_HTTP2_STREAM, CURLE_SEND_FAIL_REWIND:
            .interrupted
        case CURLE_TOO_MANY_REDIRECTS: .tooManyRedirects
        case CURLE_URL_MALFORMAT, CURLE_BAD_FUNCTION_ARGUMENT, CURLE_READ_ERROR: .invalidRequest
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING: .invalidResponse
        default: .clientFailed
        }
    }
}
