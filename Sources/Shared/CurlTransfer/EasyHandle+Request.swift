import CLibCurl
import HTTPTypes

extension EasyHandle {
    /// Sets every option of the request but its callbacks.
    func apply(_ request: TransferRequest, bodyLength: Int64?) throws(TransferError) {
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        try set(CURLOPT_PROXY, "")
        try set(CURLOPT_PATH_AS_IS, 1)
        try set(CURLOPT_URL, request.url)
        if let socket = request.unixSocket { try set(CURLOPT_UNIX_SOCKET_PATH, socket) }
        try applyVersion(request)
        try applyTimes(request)
        try applyTLS(request)
        try applyMethod(request, bodyLength: bodyLength)
        var suppressed = ["Expect"]
        if request.headers[.contentType] == nil { suppressed.append("Content-Type") }
        if request.headers[.accept] == nil { suppressed.append("Accept") }
        try setHeaders(request.headers, without: suppressed)
        guard request.redirectLimit > 0 else { return }
        try set(CURLOPT_FOLLOWLOCATION, 1)
        try set(CURLOPT_MAXREDIRS, request.redirectLimit)
    }

    private func applyVersion(_ request: TransferRequest) throws(TransferError) {
        let version = request.allowsHTTP2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1
        try set(CURLOPT_HTTP_VERSION, Int(version))
        if request.allowsHTTP2 { try set(CURLOPT_PIPEWAIT, 1) }
    }

    private func applyTimes(_ request: TransferRequest) throws(TransferError) {
        try set(CURLOPT_CONNECTTIMEOUT_MS, request.connectTimeout.wholeMilliseconds)
        if let timeout = request.timeout { try set(CURLOPT_TIMEOUT_MS, timeout.wholeMilliseconds) }
    }

    private func applyMethod(_ request: TransferRequest, bodyLength: Int64?) throws(TransferError) {
        if request.method == .head {
            try set(CURLOPT_NOBODY, 1)
        } else if let bytes = request.body.sentWithHead {
            try set(CURLOPT_POSTFIELDSIZE, bytes.count)
            try set(copiedBody: bytes)
        } else if request.body.isPresent || [.post, .put, .patch].contains(request.method) {
            try set(CURLOPT_UPLOAD, 1)
            try set(CURLOPT_INFILESIZE_LARGE, offset: bodyLength ?? -1)
        }
        try set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
    }

    private func applyTLS(_ request: TransferRequest) throws(TransferError) {
        switch request.tls.trust {
        case .system: break
        case .file(let path): try set(CURLOPT_CAINFO, path)
        case .pem(let pem): try set(CURLOPT_CAINFO_BLOB, blob: pem)
        case .anyoneOnLoopback:
            guard request.isForLoopback else {
                throw TransferError(
                    .invalidRequest, peer: request.peer, detail: "Only loopback hosts may be trusted blindly.")
            }
            try set(CURLOPT_SSL_VERIFYPEER, 0)
            try set(CURLOPT_SSL_VERIFYHOST, 0)
        }
        guard let client = request.tls.clientCertificate else { return }
        try set(CURLOPT_SSLCERT_BLOB, blob: client.chainPEM)
        try set(CURLOPT_SSLKEY_BLOB, blob: client.keyPEM)
    }
}

extension TransferRequest {
    /// Whether the URL's host is this machine by name or address.
    fileprivate var isForLoopback: Bool {
        guard unixSocket == nil else { return true }
        var host = peer[...]
        if host.hasPrefix("[") {
            host = host.dropFirst().prefix { $0 != "]" }
        } else if let colon = host.lastIndex(of: ":") {
            host = host[..<colon]
        }
        return host == "localhost" || host == "127.0.0.1" || host == "::1"
    }
}

extension TransferBody {
    /// A body so small (libcurl's `MAX_INITIAL_POST_SIZE`) that it can be sent in one piece with the head.
    ///
    /// The peer then gets the whole request or nothing of it, also when this process is killed. SeaweedFS takes a
    /// request that ends before the first byte of its body for one with an empty body.
    fileprivate var sentWithHead: [UInt8]? {
        guard case .bytes(let bytes) = content, (1..<64 * 1024).contains(bytes.count) else { return nil }
        return bytes
    }

    fileprivate var isPresent: Bool {
        if case .none = content { return false }
        return true
    }
}

extension Duration {
    /// At least one, as zero means "no limit" to libcurl.
    fileprivate var wholeMilliseconds: Int { max(1, Int(self / .milliseconds(1))) }
}
