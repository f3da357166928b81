/// A public key as a client offers it.
package struct SSHOfferedKey: Hashable, Sendable {
    /// `SHA256:` and the unpadded base64 of the digest, as `ssh-keygen -l` prints it.
    package let sha256: String
    /// Sixteen lower-case hex pairs joined by colons.
    package let md5: String
    /// For example `ssh-ed25519`.
    package let type: String

    package init(sha256: String, md5: String, type: String) {
        self.sha256 = sha256
        self.md5 = md5
        self.type = type
    }
}

/// Who a key belongs to; kept with the connection once the key has signed.
package struct SSHIdentity: Hashable, Sendable {
    package let user: String
    package let fingerprint: String

    package init(user: String, fingerprint: String) {
        self.user = user
        self.fingerprint = fingerprint
    }
}

/// The verdict on an offered key.
package enum SSHAuthorization: Sendable {
    /// The key is `user`'s; a valid signature lets it in.
    case known(user: String)
    /// Nobody has registered this key; the client may offer another.
    case unknown
    /// The key cannot be judged now; the text is shown to the client.
    case unavailable(String)
}

/// Knows which key belongs to whom.
package protocol SSHAuthorizer: Sendable {
    /// Judges one offered key, before its signature has been checked.
    ///
    /// Called at most once per key and connection. An answer that takes longer than
    /// ``SSHServerConfiguration/authorizerLimit`` counts as ``SSHAuthorization/unavailable(_:)``, and the call is
    /// cancelled.
    func authorize(_ key: SSHOfferedKey) async -> SSHAuthorization

    /// The text shown to a client none of whose keys is known, one or more whole lines.
    func refusal(of keys: [SSHOfferedKey]) -> String
}
