internal import COpenSSL

/// One block of a PEM text: its label and the bytes inside.
struct PEMBlock {
    let label: String
    let bytes: [UInt8]

    /// Every block of a text, in order; text between the blocks is ignored.
    /// - Throws: `.badEncoding` when a block is damaged.
    static func all(in text: String) throws(CryptoError) -> [PEMBlock] {
        ERR_clear_error()
        let bio = MemoryBIO(text: text)
        var blocks: [PEMBlock] = []
        while let block = next(in: bio) { blocks.append(block) }
        guard isEndOfPEM() else { throw CryptoError.fromLibrary(.badEncoding, "read PEM text") }
        ERR_clear_error()
        return blocks
    }

    private static func next(in bio: borrowing MemoryBIO) -> PEMBlock? {
        var name: UnsafeMutablePointer<CChar>?
        var header: UnsafeMutablePointer<CChar>?
        var data: UnsafeMutablePointer<UInt8>?
        var count = 0
        guard unsafe PEM_read_bio(bio.pointer, &name, &header, &data, &count) == 1 else { return nil }
        defer {
            unsafe CRYPTO_free(name, nil, 0)
            unsafe CRYPTO_free(header, nil, 0)
            unsafe CRYPTO_free(data, nil, 0)
        }
        guard let name = unsafe name, let data = unsafe data else { return nil }
        let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
        return PEMBlock(label: unsafe String(cString: name), bytes: bytes)
    }
}
