internal import COpenSSL

/// Owns one in-memory `BIO`, the form in which OpenSSL reads and writes PEM.
@safe struct MemoryBIO: ~Copyable {
    /// Valid while this value lives.
    let pointer: OpaquePointer

    /// An empty one to be written.
    init() {
        guard let created = unsafe BIO_new(BIO_s_mem()) else { fatalError("out of memory for a buffer") }
        unsafe pointer = created
    }

    /// One that yields a copy of `text`.
    init(text: String) {
        self.init()
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty else { return }
        let written = unsafe BIO_write(pointer, bytes, CInt(bytes.count))
        precondition(Int(written) == bytes.count, "out of memory for a buffer")
    }

    deinit { unsafe BIO_free_all(pointer) }

    /// Everything written so far, taken out.
    borrowing func takeText() -> String {
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe BIO_read(pointer, &chunk, CInt(chunk.count))
            if count <= 0 { break }
            text += chunk[..<Int(count)]
        }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Refuses to ask the terminal for a passphrase: encrypted PEM fails instead of blocking a server.
func refusePassphrase(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: CInt, _ isWriting: CInt, _ context: UnsafeMutableRawPointer?
) -> CInt { -1 }
