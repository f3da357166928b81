import Foundation
import ServiceHTTP
import ServiceRuntime
import Testing

@testable import RegistryService

@Suite struct ConfigurationTests {
    private static let good = ["REGISTRY_STORAGE": "file:///srv/registry", "REGISTRY_AUTH": "none"]

    private func problems(_ variables: [String: String]) -> [String] {
        var reader = ConfigurationReader(variables: variables)
        _ = RegistryConfiguration(reader: &reader)
        return reader.problems
    }

    @Test func twoSettingsAreEnough() {
        var reader = ConfigurationReader(variables: Self.good)
        let configuration = RegistryConfiguration(reader: &reader)
        #expect(reader.problems == [])
        guard case .folder("/srv/registry") = configuration.storage.place else {
            Issue.record("another place")
            return
        }
        #expect(configuration.listen.description == "127.0.0.1:5000")
        #expect(configuration.allowsDeletes && configuration.storage.isDurable && configuration.tls == nil)
    }

    @Test func everyProblemIsReportedAtOnce() {
        let found = problems([
            "REGISTRY_LISTEN": "x", "REGISTRY_STORAGE": "ftp://bucket", "REGISTRY_AUTH": "magic",
            "REGISTRY_DELETE": "maybe", "REGISTRY_TLS_KEY": "/key", "REGISTRY_BLOB_LIMIT": "-1",
        ])
        #expect(found.count == 6)
    }

    @Test func tokensNeedARealmAndKeys() {
        let found = problems(Self.good.merging(["REGISTRY_AUTH": "token"]) { _, new in new })
        #expect(found == ["REGISTRY_TOKEN_REALM is not set", "REGISTRY_TOKEN_KEYS is not set"])
    }

    @Test func theDocumentedVariablesAreTheOnesRead() throws {
        var reader = ConfigurationReader(variables: Self.good.merging(["REGISTRY_AUTH": "token"]) { _, new in new })
        _ = RegistryConfiguration(reader: &reader)
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../services/registry/service.env")
        let documented = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
            .filter { !$0.hasPrefix("#") }.compactMap { $0.split(separator: "=").first.map(String.init) }
        let common: Set = ["LOG_LEVEL", "LOG_FORMAT", "SHUTDOWN_TIMEOUT"]
        #expect(Set(documented).subtracting(common) == Set(reader.keys))
    }
}
