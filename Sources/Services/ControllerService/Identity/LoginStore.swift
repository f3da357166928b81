import FoundationEssentials
import OpenSSLCrypto
import PlatformModel
import Postgres

/// Sign-ins that are under way: a key the command line polls with, and what became of the browser it opened.
///
/// Key and state are stored as hashes; a key is good for half an hour and for one token.
struct LoginStore: Sendable {
    static let lifetime = 1800.0

    let vault: Vault

    func begin(key: String, in executor: some SQLExecutor) async throws(PostgresError) {
        try await executor.execute("DELETE FROM login_attempts WHERE expires < now()")
        try await executor.execute(
            """
            INSERT INTO login_attempts (key_hash, expires)
            VALUES (\(SHA256Digest.hash(key)), now() + make_interval(secs => \(Self.lifetime)))
            """)
    }

    /// Notes the browser that goes to the provider for a key.
    ///
    /// - Returns: false for a key that is unknown, has ended or is complete already.
    func attach(_ login: BrowserLogin, to key: String, in executor: some SQLExecutor) async throws(PostgresError)
        -> Bool
    {
        try await executor.execute(
            """
            UPDATE login_attempts SET state_hash = \(SHA256Digest.hash(login.state)), nonce = \(login.nonce),
                code_verifier = \(login.codeVerifier)
            WHERE key_hash = \(SHA256Digest.hash(key)) AND expires > now() AND owner IS NULL
            """) == 1
    }

    /// Takes the sign-in a browser came back from; a state works once.
    func takeBrowser(
        state: String, redirectURI: String, in executor: some SQLExecutor
    ) async throws -> (keyHash: [UInt8], login: BrowserLogin)? {
        let rows = try await executor.query(
            """
            WITH taken AS (
                SELECT key_hash, nonce, code_verifier FROM login_attempts
                WHERE state_hash = \(SHA256Digest.hash(state)) AND expires > now() AND owner IS NULL FOR UPDATE
            ), spent AS (
                UPDATE login_attempts SET state_hash = NULL, nonce = NULL, code_verifier = NULL
                FROM taken WHERE login_attempts.key_hash = taken.key_hash
            )
            SELECT key_hash, nonce, code_verifier FROM taken
            """)
        guard let row = rows.first else { return nil }
        let login = BrowserLogin(
            redirectURI: redirectURI, state: state, nonce: try row.decode("nonce"),
            codeVerifier: try row.decode("code_verifier"))
        return (try row.decode("key_hash"), login)
    }

    func complete(
        keyHash: [UInt8], owner: User, oauth: OAuthTokens, in executor: some SQLExecutor
    ) async throws {
        let sealed = try vault.seal(oauth, purpose: Self.purpose(keyHash))
        try await executor.execute(
            """
            UPDATE login_attempts SET owner = \(owner.id), oauth_sealed = \(sealed.bytes),
                oauth_key_id = \(sealed.keyID) WHERE key_hash = \(keyHash)
            """)
    }

    /// Takes a complete sign-in by its key, so that it makes one token and no more.
    func take(key: String, in executor: some SQLExecutor) async throws -> (user: User, oauth: OAuthTokens)? {
        let hash = SHA256Digest.hash(key)
        let rows = try await executor.query(
            """
            WITH taken AS (
                DELETE FROM login_attempts WHERE key_hash = \(hash) AND owner IS NOT NULL AND expires > now()
                RETURNING owner, oauth_sealed
            )
            SELECT taken.oauth_sealed, \(sql: UserStore.columns) FROM taken JOIN users ON users.id = taken.owner
            """)
        guard let row = rows.first else { return nil }
        let oauth: OAuthTokens = try vault.open(try row.decode("oauth_sealed"), purpose: Self.purpose(hash))
        return (try UserStore.user(row), oauth)
    }

    private static func purpose(_ keyHash: [UInt8]) -> String { "login:\(Hex.encode(keyHash))" }
}
