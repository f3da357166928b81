import HTTPTypes

/// Puts together the response head from the lines libcurl reports.
///
/// Informational heads (1xx) and those of redirects that are being followed are passed over; trailers after the body
/// are ignored.
struct HeadParser {
    private let followsRedirects: Bool
    private var status = 0
    private var headers = HTTPFields()
    /// Whether the final head has been returned.
    private(set) var isDelivered = false
    /// The head of a redirect that was held back; the final answer if libcurl did not follow it after all.
    private(set) var pendingHead: TransferHead?

    init(followsRedirects: Bool) { self.followsRedirects = followsRedirects }

    /// Takes one line with its line end; returns the final head once its empty line has come.
    mutating func consume(_ raw: UnsafeRawBufferPointer) -> TransferHead? {
        guard !isDelivered else { return nil }
        let line = unsafe raw.prefix { $0 != 0x0D && $0 != 0x0A }
        if unsafe line.starts(with: Array("HTTP/".utf8)) {
            let words = unsafe String(decoding: line, as: UTF8.self).split(separator: " ", maxSplits: 2)
            status = words.count > 1 ? Int(words[1]) ?? 0 : 0
            headers = HTTPFields()
            return nil
        }
        guard unsafe line.isEmpty else {
            unsafe add(line)
            return nil
        }
        return finishHead()
    }

    private mutating func add(_ line: Slice<UnsafeRawBufferPointer>) {
        guard let colon = unsafe line.firstIndex(of: UInt8(ascii: ":")) else { return }
        let name = unsafe String(decoding: line[..<colon], as: UTF8.self)
        let value = unsafe String(decoding: line[(colon + 1)...], as: UTF8.self)
        guard let fieldName = HTTPField.Name(name) else { return }
        let trimmed = value.drop { $0 == " " || $0 == "\t" }
        headers.append(HTTPField(name: fieldName, value: String(trimmed)))
    }

    private mutating func finishHead() -> TransferHead? {
        guard status >= 200 else { return nil }
        let head = TransferHead(status: status, headers: headers)
        if followsRedirects, [301, 302, 303, 307, 308].contains(status), headers[.location] != nil {
            pendingHead = head
            return nil
        }
        pendingHead = nil
        isDelivered = true
        return head
    }
}
