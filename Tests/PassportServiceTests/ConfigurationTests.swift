import FoundationEssentials
import ServiceRuntime
import Testing

@testable import PassportService

@Suite struct ConfigurationTests {
    @Test func everyProblemIsNamedAtOnce() {
        var reader = ConfigurationReader(variables: [
            "OIDC_ISSUER": "ftp://x/oauth", "PLATFORM_KEY": "short", "PASSPORT_REGISTRATION": "maybe",
            "ACCESS_TOKEN_EXPIRE_SECONDS": "999999",
        ])
        _ = PassportConfiguration(reader: &reader)
        let names = reader.problems.map { String($0.prefix { $0 != " " }) }
        #expect(
            Set(names) == [
                "OIDC_ISSUER", "PLATFORM_KEY", "PASSPORT_REGISTRATION", "ACCESS_TOKEN_EXPIRE_SECONDS", "DATABASE_URL",
            ])
    }

    @Test(arguments: [
        "http://h/oauth/", "http://h", "http:///oauth", "https://h/x/oauth", "http://u@h/oauth", "h/oauth",
        "http://h?/oauth",
    ])
    func issuersOfAnotherFormAreRefused(text: String) {
        var reader = ConfigurationReader(variables: ["OIDC_ISSUER": text])
        _ = PassportConfiguration(reader: &reader)
        #expect(reader.problems.contains { $0.hasPrefix("OIDC_ISSUER") })
    }

    @Test func theDocumentedVariablesAreThoseTheProgramReads() throws {
        var reader = ConfigurationReader(variables: [:])
        _ = PassportConfiguration(reader: &reader)
        let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "services/passport/service.env")
        let documented = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            .map { $0.drop { $0 == "#" } }
            .filter { $0.contains("=") && !$0.hasPrefix(" ") }
            .map { String($0.prefix { $0 != "=" }) }
        let shared: Set = ["LOG_LEVEL", "LOG_FORMAT", "SHUTDOWN_TIMEOUT", "SECRETS_DIRECTORY"]
        #expect(Set(documented) == Set(reader.keys).union(shared))
    }

    @Test func clientsThatCannotWorkAreNamed() {
        let json = """
            [{"id":"a","grants":["client_credentials"],"scopes":[]},
             {"id":"b","secret":"0123456789abcdef","grants":["authorization_code"],"scopes":[]},
             {"id":"c","confidential":false,"grants":["password"],"scopes":["x\\"y"]},
             {"id":"d d","secret":"0123456789abcdef","grants":["authorization_code"],"scopes":[],
              "redirect_uris":["http://x/#y"]}]
            """
        let error = #expect(throws: ConfigurationError.self) { try ClientSeeds(json: Data(json.utf8)) }
        #expect(error?.problems.count == 6)
        #expect(throws: ConfigurationError.self) { try ClientSeeds(json: Data("{}".utf8)) }
        #expect(throws: ConfigurationError.self) { try ClientSeeds(file: "/nonexistent") }
    }
}
