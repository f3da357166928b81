internal import COpenSSL
package import ConcurrencyPrimitives

/// Makes and checks salted scrypt records of passwords on threads of its own.
///
/// A record is `scrypt$ln=15,r=8,p=1$<salt>$<hash>` with base64url parts, so parameters can be raised later and old
/// records still verify. One computation takes 32 MiB and tens of milliseconds; at most `threads` run at once, and
/// when `queueLimit` more are waiting further ones fail with `.busy` at once instead of piling up.
package struct PasswordHash: Sendable {
    private static let saltByteCount = 16
    private static let hashByteCount = 32

    private let threads: BlockingThreads
    private let parameters: ScryptParameters

    /// - Parameter cost: the binary logarithm of scrypt's N; 15 in production, less in tests only.
    package init(threads: Int = 2, queueLimit: Int = 64, cost: Int = 15) {
        self.init(
            threads: BlockingThreads(label: "password-hash", count: threads, queueLimit: queueLimit), cost: cost)
    }

    /// - Parameter threads: where records are made and checked.
    package init(threads: BlockingThreads, cost: Int = 15) {
        self.threads = threads
        parameters = ScryptParameters(costLogarithm: cost, blockSize: 8, parallelization: 1)
    }

    /// A new record for `password`.
    /// - Throws: ``CryptoError`` with `.busy` when too many are waiting.
    package func create(_ password: String) async throws -> String {
        let parameters = parameters
        return try await run {
            let salt = SecureRandom.bytes(Self.saltByteCount)
            let hash = try parameters.derive(password, salt: salt, count: Self.hashByteCount)
            return PasswordRecord(parameters: parameters, salt: salt, hash: hash).text
        }
    }

    /// Whether `password` is the one `record` was made from.
    /// - Throws: ``CryptoError`` with `.badEncoding` for a damaged record, `.busy` when too many are waiting.
    package func verify(_ password: String, record text: String) async throws -> Bool {
        let record = try PasswordRecord(text)
        return try await run {
            let hash = try record.parameters.derive(password, salt: record.salt, count: record.hash.count)
            return constantTimeEquals(hash, record.hash)
        }
    }

    /// Spends the time of a check without a record, so that unknown accounts answer as slowly as known ones.
    package func verifyNothing(_ password: String) async throws {
        let parameters = parameters
        _ = try await run {
            try parameters.derive(password, salt: [UInt8](repeating: 0, count: Self.saltByteCount), count: 32)
        }
    }

    /// Whether a record was made with weaker parameters than new ones are.
    package func needsRenewal(_ record: String) -> Bool {
        // A record that cannot be read is renewed as well; the next sign-in decides what becomes of it.
        guard let parsed = try? PasswordRecord(record) else { return true }
        return parsed.parameters != parameters
    }

    private func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        do {
            return try await threads.run(body)
        } catch is BlockingThreads.Busy {
            throw CryptoError(.busy, "too many passwords are being checked")
        }
    }
}

/// The work factors of scrypt (RFC 7914).
struct ScryptParameters: Sendable, Equatable {
    let costLogarithm: Int
    let blockSize: Int
    let parallelization: Int

    func derive(_ password: String, salt: [UInt8], count: Int) throws(CryptoError) -> [UInt8] {
        var password = Array(password.utf8)
        var hash = [UInt8](repeating: 0, count: count)
        let cost = UInt64(1) << UInt64(costLogarithm)
        let memory = 128 * UInt64(blockSize) * (cost + UInt64(parallelization)) + (1 << 20)
        let done = unsafe password.withUnsafeMutableBytes { buffer in
            let done = unsafe EVP_PBE_scrypt(
                buffer.baseAddress?.assumingMemoryBound(to: CChar.self), buffer.count, salt, salt.count, cost,
                UInt64(blockSize), UInt64(parallelization), memory, &hash, count)
            if let start = buffer.baseAddress { unsafe OPENSSL_cleanse(start, buffer.count) }
            return done
        }
        try requireSuccess(done, "scrypt")
        return hash
    }
}

/// The text form of a salted hash.
struct PasswordRecord: Sendable {
    let parameters: ScryptParameters
    let salt: [UInt8]
    let hash: [UInt8]

    init(parameters: ScryptParameters, salt: [UInt8], hash: [UInt8]) {
        self.parameters = parameters
        self.salt = salt
        self.hash = hash
    }

    /// Bounds the factors, so that a damaged record cannot ask for gigabytes.
    init(_ text: String) throws(CryptoError) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "scrypt" else { throw CryptoError(.badEncoding, "not a password record") }
        var factors: [Substring: Int] = [:]
        for item in parts[1].split(separator: ",") {
            let pair = item.split(separator: "=", maxSplits: 1)
            if pair.count == 2 { factors[pair[0]] = Int(pair[1]) }
        }
        guard let cost = factors["ln"], (1...20).contains(cost), let size = factors["r"], (1...32).contains(size),
            let lanes = factors["p"], (1...16).contains(lanes)
        else { throw CryptoError(.badEncoding, "a password record has impossible parameters") }
        parameters = ScryptParameters(costLogarithm: cost, blockSize: size, parallelization: lanes)
        salt = try Base64URL.decode(parts[2])
        hash = try Base64URL.decode(parts[3])
        guard salt.count >= 8, (16...64).contains(hash.count) else {
            throw CryptoError(.badEncoding, "a password record is cut")
        }
    }

    var text: String {
        let factors = "ln=\(parameters.costLogarithm),r=\(parameters.blockSize),p=\(parameters.parallelization)"
        return "scrypt$\(factors)$\(Base64URL.encode(salt))$\(Base64URL.encode(hash))"
    }
}
