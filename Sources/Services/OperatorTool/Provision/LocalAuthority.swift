import FoundationEssentials
import OpenSSLCrypto
import PlatformModel
import ServiceRuntime

/// The installation's own certificate authority and the certificate of its domain.
struct LocalAuthority: Sendable {
    let state: StateDirectory
    let domain: DomainName

    var authorityPath: String { "\(state.keys)/ca.pem" }
    private var authorityKeyPath: String { "\(state.keys)/ca.key" }
    var chainPath: String { "\(state.keys)/wildcard.pem" }
    var keyPath: String { "\(state.keys)/wildcard.key" }

    /// A certificate is renewed when it has less than this left.
    static let renewal: TimeInterval = 30 * 86_400

    /// Makes the authority once, and the domain's certificate when it is missing, for another domain or near its end.
    /// - Returns: the domain's certificate.
    @discardableResult
    func ensure(at now: Date = Date()) throws -> CertificateInfo {
        let authority = try ensureAuthority()
        if let current = try certificate(), try isGood(current, of: authority, at: now) { return current }
        let names: [SubjectAlternativeName] = [.dns("*.\(domain)"), .dns(domain.text)]
        let issued = try authority.issue(names: names, commonName: "*.\(domain)", at: now)
        try StateFile.write(issued.privateKeyPEM, to: keyPath, mode: 0o600)
        try StateFile.write(issued.chainPEM, to: chainPath, mode: 0o644)
        return issued.certificate
    }

    /// The domain's certificate as it is on disk.
    func certificate() throws -> CertificateInfo? {
        guard let pem = try StateFile.readText(chainPath) else { return nil }
        return try CertificateInfo.all(inPEM: pem).first
    }

    private func isGood(_ certificate: CertificateInfo, of authority: CertificateAuthority, at now: Date) throws -> Bool
    {
        guard let pem = try StateFile.readText(keyPath) else { return false }
        let key = try KeyPair(pem: pem)
        return certificate.covers(host: "drycc.\(domain)") && certificate.isSigned(by: authority.certificate)
            && certificate.notAfter > now.addingTimeInterval(Self.renewal) && certificate.matches(key)
    }

    private func ensureAuthority() throws -> CertificateAuthority {
        if let pem = try StateFile.readText(authorityPath), let key = try StateFile.readText(authorityKeyPath) {
            return try CertificateAuthority(certificatePEM: pem, privateKeyPEM: key)
        }
        let authority = try CertificateAuthority.create(commonName: "Workflow local authority \(domain)")
        try StateFile.write(try authority.key.privatePEM(), to: authorityKeyPath, mode: 0o600)
        try StateFile.write(authority.certificate.pem, to: authorityPath, mode: 0o644)
        return authority
    }
}

/// The key pair by which the controller signs and the registry checks access to images.
struct RegistryTokenKeys: Sendable {
    let state: StateDirectory

    var privatePath: String { "\(state.keys)/registry-token.key" }
    var publicPath: String { "\(state.keys)/registry-token.pem" }

    /// Makes the pair once; the public half is written again whenever it is missing.
    func ensure() throws {
        let pair: KeyPair
        if let pem = try StateFile.readText(privatePath) {
            pair = try KeyPair(pem: pem)
        } else {
            pair = try KeyPair.generate(.es256)
            try StateFile.write(try pair.privatePEM(), to: privatePath, mode: 0o600)
        }
        try StateFile.write(pair.publicKey.pem, to: publicPath, mode: 0o644)
    }
}
