import Postgres

/// People as the identity provider knows them, their tokens, login attempts and SSH keys.
///
/// Tokens and login keys are stored as SHA-256 only; OAuth tokens are sealed with the platform key named in the row.
enum M0001_CreateIdentity {
    static let migration = Migration(
        number: 1,
        name: "CreateIdentity",
        sql: """
            CREATE TABLE users (
                id bigint PRIMARY KEY,
                username text NOT NULL CONSTRAINT users_username_key UNIQUE,
                email text NOT NULL DEFAULT '',
                email_verified boolean NOT NULL DEFAULT false,
                first_name text NOT NULL DEFAULT '',
                last_name text NOT NULL DEFAULT '',
                is_staff boolean NOT NULL DEFAULT false,
                is_superuser boolean NOT NULL DEFAULT false,
                is_active boolean NOT NULL DEFAULT true,
                last_login timestamptz NOT NULL DEFAULT now(),
                date_joined timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX users_email_index ON users (lower(email));

            CREATE TABLE tokens (
                uuid uuid PRIMARY KEY,
                owner bigint NOT NULL REFERENCES users (id),
                key_hash bytea NOT NULL CONSTRAINT tokens_key_hash_key UNIQUE,
                fuzzy_key text NOT NULL,
                alias text NOT NULL DEFAULT '',
                oauth_sealed bytea NOT NULL,
                oauth_key_id text NOT NULL,
                refresh_after timestamptz NOT NULL,
                refreshing_until timestamptz,
                created timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX tokens_owner_index ON tokens (owner, created DESC);

            CREATE TABLE login_attempts (
                key_hash bytea PRIMARY KEY,
                state_hash bytea CONSTRAINT login_attempts_state_hash_key UNIQUE,
                nonce text,
                code_verifier text,
                owner bigint REFERENCES users (id),
                oauth_sealed bytea,
                oauth_key_id text,
                expires_in bigint,
                expires timestamptz NOT NULL,
                created timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX login_attempts_expires_index ON login_attempts (expires);

            CREATE TABLE ssh_keys (
                uuid uuid PRIMARY KEY,
                owner bigint NOT NULL REFERENCES users (id),
                id text NOT NULL CONSTRAINT ssh_keys_id_key UNIQUE,
                public text NOT NULL CONSTRAINT ssh_keys_public_key UNIQUE,
                fingerprint_md5 text NOT NULL,
                fingerprint_sha256 text NOT NULL CONSTRAINT ssh_keys_fingerprint_sha256_key UNIQUE,
                created timestamptz NOT NULL DEFAULT now(),
                updated timestamptz NOT NULL DEFAULT now()
            );
            CREATE INDEX ssh_keys_owner_index ON ssh_keys (owner, public);
            CREATE INDEX ssh_keys_fingerprint_md5_index ON ssh_keys (fingerprint_md5);
            """)
}
