import AccessTokens
import FoundationEssentials
import Testing

@Suite struct ScopeAndFormTests {
    @Test func scopesAreASet() throws {
        let scopes = try #require(ScopeSet(parameter: " b  a a "))
        #expect(scopes == ["a", "b"] && scopes.description == "a b")
        #expect(scopes.isSubset(of: ["a", "b", "c"]) && !scopes.isSubset(of: ["a"]))
        #expect(
            ScopeSet(parameter: "a\"b") == nil && ScopeSet(parameter: "a\\b") == nil
                && ScopeSet(parameter: "é") == nil)
        #expect(try #require(ScopeSet(parameter: "")).isEmpty)
        let json = try JSONEncoder().encode(scopes)
        #expect(String(decoding: json, as: UTF8.self) == "\"a b\"")
        #expect(try JSONDecoder().decode(ScopeSet.self, from: json) == scopes)
    }

    @Test(arguments: ["", "a b", "ä&=+%/?#", "日本", "\u{0}\n", "~-._*"])
    func formTextComesBack(text: String) {
        let encoded = FormCoding.encode(text)
        #expect(encoded.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
        #expect(FormCoding.decode(encoded) == text)
    }

    @Test func pairsAreReadInOrder() throws {
        let pairs = try #require(FormCoding.decodePairs("a=1&b&c=&a=x%3Dy&&=z"))
        #expect(pairs.map(\.0) == ["a", "b", "c", "a", ""])
        #expect(pairs.map(\.1) == ["1", "", "", "x=y", "z"])
        for broken in ["a=%", "a=%4", "a=%zz", "a=%ff", "%f0=1"] {
            #expect(FormCoding.decodePairs(broken) == nil)
        }
    }
}
