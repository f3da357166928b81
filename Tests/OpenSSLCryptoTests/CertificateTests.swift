import FoundationEssentials
import Testing

@testable import OpenSSLCrypto

@Suite struct CertificateTests {
    @Test func anAuthorityIssuesLeavesThatVerify() throws {
        let authority = try CertificateAuthority.create(commonName: "Workflow local CA")
        let address = try #require(SubjectAlternativeName.ip(text: "127.0.0.1"))
        let long = try #require(SubjectAlternativeName.ip(text: "::1"))
        let issued = try authority.issue(names: [.dns("*.workflow.localhost"), .dns("localhost"), address, long])
        let leaf = issued.certificate
        #expect(leaf.isSigned(by: authority.certificate))
        #expect(try !leaf.isSigned(by: CertificateAuthority.create(commonName: "Workflow local CA").certificate))
        #expect(leaf.subject == "CN=*.workflow.localhost")
        #expect(leaf.issuer == "CN=Workflow local CA")
        #expect(leaf.names.map(\.description) == ["*.workflow.localhost", "localhost", "127.0.0.1", "0:0:0:0:0:0:0:1"])
        #expect(leaf.matches(try KeyPair(pem: issued.privateKeyPEM)))
        #expect(!leaf.matches(authority.key))
        #expect(try leaf.publicKey() == KeyPair(pem: issued.privateKeyPEM).publicKey)
        #expect(try CertificateInfo.all(inPEM: issued.chainPEM) == [leaf, authority.certificate])
    }

    @Test(arguments: [
        ("shop.workflow.localhost", true), ("a.b.workflow.localhost", false), ("workflow.localhost", false),
        ("localhost", true), ("127.0.0.1", true), ("127.0.0.2", false), ("SHOP.workflow.LOCALHOST", true), ("", false),
    ])
    func hostsAreCoveredByNamesAndWildcards(host: String, expected: Bool) throws {
        let authority = try CertificateAuthority.create(commonName: "ca")
        let issued = try authority.issue(
            names: [.dns("*.workflow.localhost"), .dns("localhost"), .ip([127, 0, 0, 1])])
        #expect(issued.certificate.covers(host: host) == expected)
    }

    @Test func validityStaysWithinTheAuthoritys() throws {
        let now = Date(timeIntervalSince1970: 1_800_000_000)
        let authority = try CertificateAuthority.create(commonName: "ca", validDays: 10, at: now)
        let leaf = try authority.issue(names: [.dns("a.test")], validDays: 90, at: now).certificate
        #expect(leaf.notAfter == authority.certificate.notAfter)
        #expect(leaf.notAfter == now.addingTimeInterval(10 * 86_400))
        #expect(leaf.isValid(at: now))
        #expect(!leaf.isValid(at: now.addingTimeInterval(11 * 86_400)))
        #expect(!leaf.isValid(at: now.addingTimeInterval(-3600)))
    }

    @Test func aStoredAuthorityComesBack() throws {
        let authority = try CertificateAuthority.create(commonName: "ca")
        let again = try CertificateAuthority(
            certificatePEM: authority.certificate.pem, privateKeyPEM: authority.key.privatePEM())
        #expect(try again.issue(names: [.dns("a.test")]).certificate.isSigned(by: authority.certificate))
        let error = #expect(throws: CryptoError.self) {
            try CertificateAuthority(
                certificatePEM: authority.certificate.pem, privateKeyPEM: KeyPair.generate(.es256).privatePEM())
        }
        #expect(error?.code == .badKey)
    }

    /// Names are put in as structures: text that OpenSSL's configuration syntax would split stays one refused name.
    @Test(arguments: ["", "a.test,DNS:evil.test,\n", "a b", "bücher.test", "a\u{0}b"])
    func namesThatAreNoNamesAreRefused(name: String) throws {
        let authority = try CertificateAuthority.create(commonName: "ca")
        #expect(throws: CryptoError.self) { try authority.issue(names: [.dns(name)]) }
        #expect(throws: CryptoError.self) { try authority.issue(names: []) }
        #expect(SubjectAlternativeName.ip(text: name) == nil)
    }

    @Test func serialsAndFingerprintsAreUnique() throws {
        let authority = try CertificateAuthority.create(commonName: "ca")
        let leaves = try (0..<20).map { _ in try authority.issue(names: [.dns("a.test")]).certificate }
        #expect(Set(leaves.map(\.serial)).count == 20)
        #expect(Set(leaves.map(\.fingerprint)).count == 20)
        #expect(leaves.allSatisfy { $0.serial.utf8.count == 32 && $0.fingerprint.utf8.count == 64 })
    }

    @Test(arguments: [KeyAlgorithm.rs256, .es256])
    func leavesHaveTheKeyAskedFor(algorithm: KeyAlgorithm) throws {
        let issued = try CertificateAuthority.create(commonName: "ca").issue(
            names: [.dns("a.test"), .email("ops@a.test"), .uri("spiffe://a.test/x")], algorithm: algorithm)
        #expect(try issued.certificate.publicKey().algorithm == algorithm)
        #expect(issued.certificate.dnsNames == ["a.test"])
        #expect(issued.certificate.names.count == 3)
    }

    @Test func textWithoutCertificateIsRefused() throws {
        #expect(throws: CryptoError.self) { try CertificateInfo(pem: "") }
        #expect(throws: CryptoError.self) { try CertificateInfo(pem: KeyPair.generate(.es256).publicKey.pem) }
        let pem = try CertificateAuthority.create(commonName: "ca").certificate.pem
        #expect(throws: CryptoError.self) { try CertificateInfo.all(inPEM: pem + pem.replacing("MII", with: "AAA")) }
    }
}
