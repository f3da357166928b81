import OCIRegistry
import Testing

@Suite struct ImageReferenceTests {
    struct Accepted: Sendable, CustomTestStringConvertible {
        let text: String
        let host: String?
        let repository: String
        var tag: String?
        var digest: String?
        var testDescription: String { text }
    }

    static let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

    @Test(arguments: [
        Accepted(text: "shop", host: nil, repository: "shop"),
        Accepted(text: "shop:v1", host: nil, repository: "shop", tag: "v1"),
        Accepted(text: "library/shop", host: nil, repository: "library/shop"),
        Accepted(text: "localhost/shop", host: "localhost", repository: "shop"),
        Accepted(
            text: "127.0.0.1:5000/shop/shop:git-8f3c2a1b", host: "127.0.0.1:5000", repository: "shop/shop",
            tag: "git-8f3c2a1b"),
        Accepted(text: "[::1]:5000/shop@\(digest)", host: "[::1]:5000", repository: "shop", digest: digest),
        Accepted(
            text: "example.org/a/b/c:T_1.x@\(digest)", host: "example.org", repository: "a/b/c", tag: "T_1.x",
            digest: digest),
    ])
    func wellFormedReferencesAreTakenApartAndPrintedUnchanged(_ expected: Accepted) throws {
        let reference = try ImageReference(expected.text)
        #expect(reference.host?.description == expected.host)
        #expect(reference.repository.description == expected.repository)
        #expect(reference.tag?.description == expected.tag)
        #expect(reference.digest?.description == expected.digest)
        #expect(reference.description == expected.text)
    }

    @Test(arguments: [
        "", ":v1", "@sha256:00", "Shop", "shop:", "shop@", "shop:a b", "shop//web", "/shop", "shop/", "../shop",
        "a/../b",
        "127.0.0.1:0/shop", "127.0.0.1:70000/shop", "host:x/shop", "shop@md5:d41d8cd98f00b204e9800998ecf8427e",
        "-host.org/shop", "example.org/shop:v1:v2", "exa mple.org/shop",
    ])
    func malformedReferencesAreRefused(_ text: String) {
        #expect(throws: OCIError.self) { try ImageReference(text) }
    }

    @Test func pinningDropsTheTag() throws {
        let pinned = try ImageReference("r.example/shop:v1").pinned(to: ImageDigest(Self.digest))
        #expect(pinned.description == "r.example/shop@\(Self.digest)")
    }

    @Test(arguments: [
        ("localhost", true), ("localhost:5000", true), ("registry.localhost", true), ("127.0.0.1", true),
        ("127.9.9.9:1", true), ("[::1]:5000", true), ("LOCALHOST", true), ("localhost.example.com", false),
        ("127.0.0.1.example.com", false), ("128.0.0.1", false), ("notlocalhost", false), ("[::2]", false),
    ])
    func loopbackIsDecidedOnWholeLabels(_ text: String, _ expected: Bool) throws {
        #expect(try RegistryHost(text).isLoopback == expected)
    }
}
