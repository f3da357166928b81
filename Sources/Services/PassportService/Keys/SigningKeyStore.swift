import AccessTokens
import FoundationEssentials
import OpenSSLCrypto
import Postgres

/// Signing keys in the database, their private parts sealed with the platform key.
struct SigningKeyStore: Sendable {
    /// The kinds of key a provider has: access tokens and ID tokens.
    static let algorithms: [KeyAlgorithm] = [.es256, .rs256]

    /// Serialises the making of keys among replicas.
    private static let lockKey = 0x6b65_7973

    let box: AESGCMBox

    /// The keys published at `time`: for each algorithm the one that signs first, then older and coming ones.
    func published(at time: Date, in executor: some SQLExecutor) async throws -> [SigningKey] {
        let rows = try await executor.query(
            """
            SELECT id, private_key FROM signing_keys
            WHERE published_until IS NULL OR published_until > \(time)
            ORDER BY signs_from <= \(time)::timestamptz DESC, signs_from DESC, id
            """)
        return try rows.map { row in
            let id = try row.decode("id", as: String.self)
            let sealed = try row.decode("private_key", as: Data.self)
            return try SigningKey(KeyPair(pem: try box.openText(sealed, associated: id)))
        }
    }

    /// Makes the first keys, unless there are some.
    func createMissing(at time: Date, in pool: PostgresPool) async throws {
        try await pool.withTransaction { transaction in
            _ = try await transaction.query("SELECT pg_advisory_xact_lock(\(Self.lockKey)) IS NULL AS locked")
            let rows = try await transaction.query(
                "SELECT DISTINCT algorithm FROM signing_keys WHERE published_until IS NULL OR published_until > \(time)"
            )
            let present = try rows.map { try $0.decode("algorithm", as: String.self) }
            for algorithm in Self.algorithms where !present.contains(algorithm.rawValue) {
                try await add(algorithm, createdAt: time, signsFrom: time, in: transaction)
            }
        }
    }

    /// Adds a key of each kind that signs from `signsFrom` on,
    /// and lets the older ones be published until `publishedUntil`.
    /// - Returns: the ids of the new keys.
    func rotate(
        at time: Date, signsFrom: Date, publishedUntil: Date, in pool: PostgresPool
    ) async throws -> [String] {
        try await pool.withTransaction { transaction in
            _ = try await transaction.query("SELECT pg_advisory_xact_lock(\(Self.lockKey)) IS NULL AS locked")
            try await transaction.execute(
                "UPDATE signing_keys SET published_until = \(publishedUntil) WHERE published_until IS NULL")
            var ids: [String] = []
            for algorithm in Self.algorithms {
                ids.append(try await add(algorithm, createdAt: time, signsFrom: signsFrom, in: transaction))
            }
            return ids
        }
    }

    /// Seals every key anew that an older platform key sealed.
    /// - Returns: how many there were.
    @discardableResult
    func reseal(in pool: PostgresPool) async throws -> Int {
        try await pool.withTransaction { transaction in
            var count = 0
            for row in try await transaction.query("SELECT id, private_key FROM signing_keys FOR UPDATE") {
                let id = try row.decode("id", as: String.self)
                let sealed = try row.decode("private_key", as: Data.self)
                guard !box.isCurrent(sealed) else { continue }
                let fresh = try box.seal(try box.openText(sealed, associated: id), associated: id)
                try await transaction.execute("UPDATE signing_keys SET private_key = \(fresh) WHERE id = \(id)")
                count += 1
            }
            return count
        }
    }

    @discardableResult
    private func add(
        _ algorithm: KeyAlgorithm, createdAt: Date, signsFrom: Date, in executor: some SQLExecutor
    ) async throws -> String {
        let pair = try KeyPair.generate(algorithm)
        let id = try pair.publicKey.thumbprint()
        let sealed = try box.seal(try pair.privatePEM(), associated: id)
        try await executor.execute(
            """
            INSERT INTO signing_keys (id, algorithm, private_key, created_at, signs_from)
            VALUES (\(id), \(algorithm.rawValue), \(sealed), \(createdAt), \(signsFrom))
            """)
        return id
    }
}
