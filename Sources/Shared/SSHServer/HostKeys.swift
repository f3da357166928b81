import CLibSSH
import Glibc

/// The server's own keys: made once, kept, the same for every process that shares the directory.
struct HostKeys {
    /// Paths in order of preference: ed25519, then ECDSA P-256.
    let paths: [String]

    /// Reads the keys below `directory` or makes those that are missing.
    ///
    /// A new key is written beside its final name and linked there, so a reader never sees half a key, and of two
    /// processes that start at once one wins and both use its key.
    init(directory: String) throws(SSHServerError) {
        guard unsafe mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw SSHServerError(.hostKey, "cannot make \(directory): \(systemErrorText(errno))")
        }
        let kinds = [
            ("ssh_host_ed25519_key", SSH_KEYTYPE_ED25519, 0), ("ssh_host_ecdsa_key", SSH_KEYTYPE_ECDSA_P256, 256),
        ]
        var paths: [String] = []
        for (name, type, bits) in kinds {
            let path = directory + "/" + name
            if unsafe access(path, F_OK) != 0 { try Self.make(type, bits: Int32(bits), at: path) }
            try Self.check(path)
            paths.append(path)
        }
        self.paths = paths
    }

    private static func make(_ type: ssh_keytypes_e, bits: Int32, at path: String) throws(SSHServerError) {
        let draft = "\(path).\(getpid())-\(UInt64.random(in: 0 ... .max))"
        let file = unsafe open(draft, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw SSHServerError(.hostKey, "cannot write \(draft): \(systemErrorText(errno))") }
        close(file)
        defer { unsafe unlink(draft) }
        var key: ssh_key?
        guard unsafe ssh_pki_generate(type, bits, &key) == SSH_OK, let key = unsafe key else {
            throw SSHServerError(.hostKey, "cannot make a host key")
        }
        defer { unsafe ssh_key_free(key) }
        guard unsafe ssh_pki_export_privkey_file(key, nil, nil, nil, draft) == SSH_OK else {
            throw SSHServerError(.hostKey, "cannot write the host key \(draft)")
        }
        try flush(draft)
        guard unsafe link(draft, path) == 0 || errno == EEXIST else {
            throw SSHServerError(.hostKey, "cannot write \(path): \(systemErrorText(errno))")
        }
    }

    /// A key that survives only until the next power cut would be another key after it.
    private static func flush(_ path: String) throws(SSHServerError) {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0, fsync(file) == 0 else {
            throw SSHServerError(.hostKey, "cannot flush \(path): \(systemErrorText(errno))")
        }
        close(file)
    }

    private static func check(_ path: String) throws(SSHServerError) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            throw SSHServerError(.hostKey, "cannot read \(path): \(systemErrorText(errno))")
        }
        guard status.st_mode & 0o077 == 0 else {
            throw SSHServerError(.hostKey, "the host key \(path) can be read by others: chmod 600 \(path)")
        }
        var key: ssh_key?
        guard unsafe ssh_pki_import_privkey_file(path, nil, nil, nil, &key) == SSH_OK, let key = unsafe key else {
            throw SSHServerError(.hostKey, "\(path) is no private key without passphrase; remove it to get a new one")
        }
        unsafe ssh_key_free(key)
    }
}
