import HTTPTypes
import OpenSSLCrypto
import PlatformModel
import ServiceHTTP
import Testing

@testable import ControllerService

@Suite struct NameRuleTests {
    @Test(
        arguments: [
            ("web", nil), ("my-worker", nil),
            ("x", "The length of ptype must be between 3 and 63"),
            ("Web", "Process types can only supports: ^(?P<type>[a-z0-9]+(\\-[a-z0-9]+)*)$"),
            ("a--b", "Process types can only supports: ^(?P<type>[a-z0-9]+(\\-[a-z0-9]+)*)$"),
            ("kube-system", "kube-system is a reserved name."),
        ] as [(String, String?)])
    func processTypesFollowTheirRule(name: String, sentence: String?) {
        #expect(ProcessTypeRule.problem(with: name) == sentence)
    }

    @Test(arguments: [
        ("drycc", true), ("drycc-foo", true), ("drycc-", false), ("dryccs", false), ("backup", true),
        ("backups", false),
        ("istio-system", true), ("shop", false),
    ])
    func reservedNamesAreKnown(name: String, isReserved: Bool) {
        #expect(ReservedNames.standard.contains(name) == isReserved)
    }

    @Test(arguments: [
        ("www.foo.com", "www.foo.com"), ("WWW.FOO.COM.", "www.foo.com"), ("*.foo.com", "*.foo.com"),
        ("bücher.example", "xn--bcher-kva.example"), ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ])
    func domainsBecomeASCII(text: String, expected: String) throws {
        #expect(try DomainRule.normalize(text) == expected)
    }

    @Test(arguments: [
        ("*", "Hostname can't only be a wildcard"), ("foo.123", "Hostname does not look valid."),
        ("a_b.com", "Hostname does not look valid."),
        ("foo..com", "Hostname does not look valid, could not convert to ACE foo..com: Empty Label"),
    ])
    func badDomainsAreNamed(text: String, sentence: String) {
        #expect(throws: Refusal.field("domain", sentence)) { try DomainRule.normalize(text) }
    }

    @Test func domainsHaveALimit() {
        let long = Array(repeating: String(repeating: "a", count: 60), count: 5).joined(separator: ".")
        #expect(throws: Refusal.field("domain", "Hostname must be 253 characters or less.")) {
            try DomainRule.normalize(long)
        }
    }

    @Test(arguments: [
        ("ada@example.com", true), ("a@b", false), ("@example.com", false), ("a b@example.com", false),
        ("a@-x.com", false), ("a@@x.com", false),
    ])
    func mailAddressesAreChecked(text: String, isValid: Bool) {
        #expect(MailAddressRule.isValid(text) == isValid)
    }
}

@Suite struct SSHPublicKeyTests {
    private func blob(_ fields: [[UInt8]]) -> String {
        var bytes: [UInt8] = []
        for field in fields {
            bytes += [0, 0, UInt8(field.count / 256), UInt8(field.count % 256)]
            bytes += field
        }
        return Base64.encode(bytes)
    }

    /// From ssh-keygen: `ssh-keygen -lf` and `ssh-keygen -E md5 -lf` of the same key.
    @Test func fingerprintsAreThoseOfOpenSSH() throws {
        let key = try SSHPublicKey(
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl github")
        #expect(key.fingerprintSHA256 == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU")
        #expect(key.fingerprintMD5 == "65:96:2d:fc:e8:d5:a9:11:64:0c:0f:ea:00:6e:5b:bd")
    }

    @Test func rsaAndECDSAAreAccepted() throws {
        let rsa = blob([Array("ssh-rsa".utf8), [1, 0, 1], [0] + [UInt8](repeating: 0xC1, count: 256)])
        #expect(try SSHPublicKey("ssh-rsa \(rsa) a  b").line == "ssh-rsa \(rsa) a b")
        let name = "ecdsa-sha2-nistp256"
        let point = [4] + [UInt8](repeating: 7, count: 64)
        let ecdsa = blob([Array(name.utf8), Array("nistp256".utf8), point])
        #expect(throws: Never.self) { try SSHPublicKey("\(name) \(ecdsa)") }
    }

    @Test func otherKeysAreRefused() {
        let weak = blob([Array("ssh-rsa".utf8), [1, 0, 1], [UInt8](repeating: 0xC1, count: 128)])
        let dsa = blob([Array("ssh-dss".utf8), [1]])
        let mislabelled = blob([Array("ssh-rsa".utf8), [UInt8](repeating: 1, count: 32)])
        let trailing = blob([Array("ssh-ed25519".utf8), [UInt8](repeating: 1, count: 32), [1]])
        for line in [
            "ssh-rsa \(weak)", "ssh-dss \(dsa)", "ssh-ed25519 \(mislabelled)", "ssh-ed25519 \(trailing)",
            "ssh-ed25519 AAAA", "command=\"x\" ssh-ed25519 AAAA",
        ] {
            #expect(throws: Refusal.self) { try SSHPublicKey(line) }
        }
    }
}

@Suite struct ThrottleTests {
    @Test func limitIsPerCallerAndComesBack() throws {
        let clock = ManualClock()
        let throttle = Throttle(rates: .init(anonymous: 2, polling: 3, user: 0), now: { clock.now })
        for _ in 0..<2 { try throttle.admit(.address("a")) }
        #expect(throws: Refusal.self) { try throttle.admit(.address("a")) }
        try throttle.admit(.address("b"))
        try throttle.admit(.polling("a"))
        for _ in 0..<100 { try throttle.admit(.user(1)) }
        clock.advance(.seconds(121))
        try throttle.admit(.address("a"))
    }

    @Test func refusalSaysHowLongToWait() throws {
        let throttle = Throttle(rates: .init(anonymous: 1, polling: 1, user: 1))
        try throttle.admit(.user(7))
        do {
            try throttle.admit(.user(7))
            Issue.record("admitted")
        } catch {
            #expect(error.code.status.code == 429)
            #expect(error.headers[.retryAfter] != nil)
            #expect(error.body == .detail("Request was throttled. Expected available in 60 seconds."))
        }
    }
}

@Suite struct CatalogueTests {
    @Test func standardCatalogueHasItsPlans() {
        let catalogue = LimitCatalogue.standard
        #expect(catalogue.plans.count == 28 && catalogue.defaultPlan == "std1.large.c1m1")
        #expect(catalogue.plan("std1.large.c64m512")?.memoryBytes == 512 << 30)
        #expect(catalogue.plans(spec: nil, cpu: 2, memory: nil).count == 4)
        #expect(catalogue.specs(matching: "GPU, cpu").count == 1 && catalogue.specs(matching: "nope").isEmpty)
    }

    @Test func tokenKeysHaveTheirShape() {
        let key = TokenKey.generate()
        #expect(key.count == 128 && key.prefix(32).allSatisfy(\.isHexDigit) && key.suffix(96).allSatisfy(\.isLetter))
        #expect(TokenKey.fuzzy(key) == "\(key.prefix(14))...\(key.suffix(14))")
        #expect(TokenKey.generate() != key)
    }
}
