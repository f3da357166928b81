import FoundationEssentials
import PlatformModel
import Testing

struct NameTests {
    @Test(arguments: ["hello", "a1234", "my-app", String(repeating: "a", count: 63)])
    func goodAppNamesAreTaken(_ text: String) throws {
        #expect(try AppName(text).text == text)
    }

    @Test(arguments: [
        "", "abc", "1hello", "hello-", "Hello", "he_llo", "héllo", "../..", String(repeating: "a", count: 64),
    ])
    func badAppNamesAreRefused(_ text: String) {
        #expect(throws: InvalidValue.self) { try AppName(text) }
    }

    @Test(arguments: ["web", "worker-2", "run"])
    func goodProcessTypesAreTaken(_ text: String) throws {
        #expect(try ProcessType(text).text == text)
    }

    @Test(arguments: ["w", "-web", "web-", "we--b", "Web", "we b", ""])
    func badProcessTypesAreRefused(_ text: String) {
        #expect(throws: InvalidValue.self) { try ProcessType(text) }
    }

    @Test(arguments: ["example.com", "*.example.com", "EXAMPLE.com", "localhost", "a-b.c"])
    func goodDomainsAreTaken(_ text: String) throws {
        #expect(try DomainName(text).text == text.lowercased())
    }

    @Test(arguments: ["", ".", "a..b", "-a.com", "a-.com", "*", "*.*.com", "a b.com", "ex_ample.com"])
    func badDomainsAreRefused(_ text: String) {
        #expect(throws: InvalidValue.self) { try DomainName(text) }
    }

    @Test(arguments: ["ada", "Ada.L@example.com", "a+b-c_d"])
    func goodUserNamesAreTaken(_ text: String) throws {
        #expect(try UserName(text).text == text)
    }

    @Test(arguments: ["", "a b", "a/b", "a\u{0}b", "a\u{10}", "ü"])
    func badUserNamesAreRefused(_ text: String) {
        #expect(throws: InvalidValue.self) { try UserName(text) }
    }

    @Test func namesTravelAsOneString() throws {
        let name = try AppName("hello")
        let data = try JSONEncoder().encode([name])
        #expect(String(decoding: data, as: UTF8.self) == #"["hello"]"#)
        #expect(try JSONDecoder().decode([AppName].self, from: data) == [name])
        #expect(throws: InvalidValue.self) { try JSONDecoder().decode([AppName].self, from: Data(#"["X"]"#.utf8)) }
    }

    @Test func releaseNumbersReadBothForms() throws {
        #expect(try ReleaseNumber(parsing: "v12").value == 12)
        #expect(try ReleaseNumber(parsing: "12").description == "v12")
        for text in ["", "v", "v0", "-1", "1.5", "v1x", "99999999999999999999"] {
            #expect(throws: InvalidValue.self) { try ReleaseNumber(parsing: text) }
        }
    }
}
