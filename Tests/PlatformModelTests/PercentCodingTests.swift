import PlatformModel
import Testing

@Suite struct PercentCodingTests {
    @Test(arguments: [
        ("plain-._~09AZaz", "plain-._~09AZaz"), ("a b", "a%20b"), ("a/b?c=d&e+f", "a%2Fb%3Fc%3Dd%26e%2Bf"),
        ("é\u{1}", "%C3%A9%01"), ("100%", "100%25"), ("", ""),
    ])
    func textsAreEncodedAndComeBack(_ text: String, _ encoded: String) {
        #expect(PercentCoding.encode(text) == encoded)
        #expect(PercentCoding.decode(encoded) == text)
    }

    @Test func charactersCanBeKept() {
        #expect(PercentCoding.encode("a/b c", keeping: "/") == "a/b%20c")
    }

    @Test func lettersOfEscapesHaveEitherCase() {
        #expect(PercentCoding.decode("%c3%A9+") == "é+")
        #expect(PercentCoding.decode("a+\u{301}%2b", plus: " ") == "a \u{301}+")
    }

    @Test(arguments: ["%", "%4", "a%4", "%zz", "%4g", "%FF", "%+1"])
    func brokenEscapesAreRefused(_ text: String) {
        #expect(PercentCoding.decode(text) == nil)
    }
}
