import OCIRegistry
import Testing

@Suite struct NameTests {
    @Test(arguments: ["a", "shop/shop", "a.b", "a_b", "a__b", "a---b", "0/1-2/x.y", String(repeating: "a", count: 255)])
    func repositoryNamesOfTheGrammarAreAccepted(_ text: String) throws {
        #expect(try RepositoryName(text).description == text)
    }

    @Test(arguments: [
        "", "A", "a/", "/a", "a//b", ".", "..", "a/..", "../a", ".a", "a.", "_a", "a_", "-a", "a-", "a..b", "a___b",
        "a._b",
        "a b", "a\0", "ä", "a%2fb", "a\\b", "_catalog", String(repeating: "a", count: 256),
    ])
    func otherRepositoryNamesAreRefused(_ text: String) {
        #expect { try RepositoryName(text) } throws: { ($0 as? OCIError)?.code == .invalidRepositoryName }
    }

    @Test func repositoryNamesAreOrderedByBytes() throws {
        let names = try ["b", "a/b", "a-b", "a"].map { try RepositoryName($0) }
        #expect(names.sorted().map(\.description) == ["a", "a-b", "a/b", "b"])
    }

    @Test(arguments: ["latest", "_x", "V1.2-rc.3", "9", String(repeating: "t", count: 128)])
    func tagsOfTheGrammarAreAccepted(_ text: String) throws {
        #expect(try ImageTag(text).description == text)
    }

    @Test(arguments: ["", ".x", "-x", "a/b", "a:b", "a b", "..", "ü", String(repeating: "t", count: 129)])
    func otherTagsAreRefused(_ text: String) {
        #expect { try ImageTag(text) } throws: { ($0 as? OCIError)?.code == .invalidTag }
    }

    @Test(arguments: [
        "sha256:" + String(repeating: "0a", count: 32), "sha512:" + String(repeating: "f", count: 128),
    ])
    func digestsOfKnownAlgorithmsAreAccepted(_ text: String) throws {
        #expect(try ImageDigest(text).description == text)
    }

    @Test(arguments: [
        "", "sha256", "sha256:", "sha256:totallywrong", "sha256:" + String(repeating: "A", count: 64),
        "sha256:" + String(repeating: "a", count: 63), "sha512:" + String(repeating: "a", count: 64),
        "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:../../../../etc/passwd",
        "SHA256:" + String(repeating: "a", count: 64),
        "sha256:sha256:" + String(repeating: "a", count: 57),
    ])
    func otherDigestsAreRefused(_ text: String) {
        #expect { try ImageDigest(text) } throws: { ($0 as? OCIError)?.code == .invalidDigest }
    }
}
