/// How far one log file has been delivered, as it is remembered over restarts.
struct FilePosition: Codable, Equatable {
    /// Names the file for ever, also in the identities of its batches.
    let id: String
    var path: String
    let device: UInt64
    let inode: UInt64
    /// A digest of the first bytes: the file system gives the numbers of removed files to new ones.
    var fingerprint: Fingerprint
    /// Everything before has been acknowledged.
    var offset: Int
    /// The end of the range that may have been sent and was not acknowledged; it is sent again exactly so.
    var pendingEnd: Int?

    /// Says which file it is, as far as its first bytes can.
    struct Fingerprint: Codable, Equatable {
        static let length = 256

        let length: Int
        let digest: UInt64

        init(_ bytes: some Collection<UInt8>) {
            length = min(bytes.count, Self.length)
            digest = bytes.prefix(Self.length).reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
        }

        /// Whether a file that begins with `bytes` may be the same: it may have grown since.
        func matches(_ bytes: [UInt8]) -> Bool {
            bytes.count >= length && Fingerprint(bytes.prefix(length)) == self
        }
    }
}
