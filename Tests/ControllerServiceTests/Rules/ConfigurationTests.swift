import FoundationEssentials
import PlatformModel
import ServiceRuntime
import Testing

@testable import ControllerService

@Suite struct ConfigurationTests {
    @Test func allMissingSettingsAreNamedAtOnce() {
        var reader = ConfigurationReader(variables: [:])
        _ = ControllerConfiguration(reader: &reader)
        for key in ["DATABASE_URL", "AMQP_URL", "PLATFORM_KEY", "OIDC_ISSUER", "OIDC_CLIENT_SECRET"] {
            #expect(reader.problems.contains("\(key) is not set"))
        }
    }

    @Test func secretsAreNotPrinted() throws {
        let configuration = try makeConfiguration(database: Secret("postgresql://u:s3cr3t@h/d"))
        let text = "\(configuration) \(String(reflecting: configuration))"
        #expect(!text.contains("s3cr3t") && !text.contains("PRIVATE KEY"))
    }

    @Test func documentedVariablesAreTheOnesRead() throws {
        var reader = ConfigurationReader(variables: [:])
        _ = ControllerConfiguration(reader: &reader)
        _ = EngineSettings(reader: &reader)
        _ = WorkerSettings(reader: &reader)
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let file = try String(
            contentsOf: root.appending(path: "services/controller/service.env"), encoding: .utf8)
        let documented = file.split(separator: "\n").filter { !$0.hasPrefix("#") }
            .compactMap { $0.split(separator: "=", omittingEmptySubsequences: false).first.map(String.init) }
        let shared: Set = ["LOG_LEVEL", "LOG_FORMAT", "SHUTDOWN_TIMEOUT"]
        #expect(Set(documented) == Set(reader.keys).union(shared))
    }

    @Test func addressesAreDerivedFromTheIssuer() throws {
        let configuration = try makeConfiguration(
            database: Secret("x"), more: ["OIDC_ISSUER": "http://passport.test:8080/oauth"])
        #expect(configuration.internalURL == "http://passport.test:8080/oauth")
        #expect(configuration.registrationURL == "http://passport.test:8080/user/registration")
    }
}
