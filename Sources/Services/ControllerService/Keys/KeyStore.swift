import FoundationEssentials
import PlatformModel
import Postgres

/// An SSH key of a person.
struct UserKey: Sendable {
    let uuid: UUID
    let owner: String
    let id: String
    let publicKey: String
    let fingerprint: String
    let created: Date
    let updated: Date
}

/// SSH keys; names, texts and fingerprints are unique over all people.
struct KeyStore: Sendable {
    private static let columns: SQL = """
        ssh_keys.uuid, users.username, ssh_keys.id, ssh_keys.public, ssh_keys.fingerprint_md5, ssh_keys.created,
        ssh_keys.updated
        """

    private static func key(_ row: Row) throws(PostgresError) -> UserKey {
        UserKey(
            uuid: try row.decode("uuid"), owner: try row.decode("username"), id: try row.decode("id"),
            publicKey: try row.decode("public"), fingerprint: try row.decode("fingerprint_md5"),
            created: try row.decode("created"), updated: try row.decode("updated"))
    }

    func page(
        of user: User, _ page: PageRequest, in executor: some SQLExecutor
    ) async throws(PostgresError) -> Page<UserKey> {
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) FROM ssh_keys JOIN users ON users.id = ssh_keys.owner
            WHERE ssh_keys.owner = \(user.id) ORDER BY ssh_keys.public LIMIT \(page.limit) OFFSET \(page.offset)
            """)
        let total = try await executor.query("SELECT count(*) AS total FROM ssh_keys WHERE owner = \(user.id)")
        return Page(items: try rows.map(Self.key), total: try total.one().decode("total"))
    }

    func find(_ id: String, of user: User, in executor: some SQLExecutor) async throws(PostgresError) -> UserKey? {
        let rows = try await executor.query(
            """
            SELECT \(sql: Self.columns) FROM ssh_keys JOIN users ON users.id = ssh_keys.owner
            WHERE ssh_keys.owner = \(user.id) AND ssh_keys.id = \(id)
            """)
        guard let row = rows.first else { return nil }
        return try Self.key(row)
    }

    /// - Throws: ``Refusal`` 400 when name or key are taken.
    func insert(
        id: String, _ key: SSHPublicKey, owner: User, in executor: some SQLExecutor
    ) async throws -> UserKey {
        do throws(PostgresError) {
            let rows = try await executor.query(
                """
                WITH inserted AS (
                    INSERT INTO ssh_keys (uuid, owner, id, public, fingerprint_md5, fingerprint_sha256)
                    VALUES (\(UUID()), \(owner.id), \(id), \(key.line), \(key.fingerprintMD5), \(key.fingerprintSHA256))
                    RETURNING uuid, owner, id, public, fingerprint_md5, created, updated
                )
                SELECT \(sql: Self.columns) FROM inserted AS ssh_keys JOIN users ON users.id = ssh_keys.owner
                """)
            return try Self.key(try rows.one())
        } catch {
            switch error.constraint {
            case "ssh_keys_id_key": throw Refusal.field("id", "SSH Key with this id already exists.")
            case "ssh_keys_public_key", "ssh_keys_fingerprint_sha256_key":
                throw Refusal.field("public", "Public Key is already in use")
            default: throw error
            }
        }
    }

    func delete(_ id: String, of user: User, in executor: some SQLExecutor) async throws(PostgresError) -> Bool {
        try await executor.execute("DELETE FROM ssh_keys WHERE id = \(id) AND owner = \(user.id)") == 1
    }

    /// The person a fingerprint belongs to, given as `SHA256:…` or as MD5 pairs.
    func owner(
        ofFingerprint fingerprint: String, in executor: some SQLExecutor
    ) async throws(PostgresError) -> User? {
        guard let row = try await executor.query(Self.ownerQuery(fingerprint)).first else { return nil }
        return try UserStore.user(row)
    }

    static func ownerQuery(_ fingerprint: String) -> SQL {
        """
        SELECT \(sql: UserStore.columns) FROM ssh_keys JOIN users ON users.id = ssh_keys.owner
        WHERE ssh_keys.fingerprint_sha256 = \(fingerprint) OR ssh_keys.fingerprint_md5 = \(fingerprint)
        ORDER BY ssh_keys.created LIMIT 1
        """
    }

    /// Keys of the members of an app's workspace, by user name.
    func keys(ofApp app: UUID, in executor: some SQLExecutor) async throws(PostgresError) -> [UserKey] {
        try await executor.query(
            """
            SELECT \(sql: Self.columns) FROM ssh_keys JOIN users ON users.id = ssh_keys.owner
            JOIN workspace_members ON workspace_members.owner = users.id
            JOIN apps ON apps.workspace = workspace_members.workspace
            WHERE apps.uuid = \(app) AND users.is_active ORDER BY users.username, ssh_keys.public
            """
        ).map(Self.key)
    }
}
