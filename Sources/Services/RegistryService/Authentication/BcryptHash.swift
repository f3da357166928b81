import CLibCrypt
import OpenSSLCrypto

/// Checks passwords against bcrypt hashes with the system's libcrypt.
enum BcryptHash {
    /// Whether a text looks like `$2y$10$` and 53 more characters.
    static func isWellFormed(_ hash: String) -> Bool {
        let parts = hash.split(separator: "$", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0].isEmpty && ["2a", "2b", "2y"].contains(parts[1])
            && parts[2].utf8.count == 2 && (4...15).contains(Int(parts[2]) ?? 0) && parts[3].utf8.count == 53
    }

    /// Whether the password has the hash. Takes tens of milliseconds on purpose.
    static func matches(_ password: String, _ hash: String) -> Bool {
        var data: UnsafeMutableRawPointer?
        var size: CInt = 0
        defer { free(data) }
        guard let computed = crypt_ra(password, hash, &data, &size) else { return false }
        return constantTimeEquals(String(cString: computed), hash)
    }
}
