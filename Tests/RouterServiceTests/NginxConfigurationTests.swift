import FoundationEssentials
import RouterService
import Testing

/// The rendered configuration compared with files that a person has read.
///
/// `WORKFLOW_UPDATE_GOLDENS=1` writes them anew.
@Suite struct NginxConfigurationTests {
    struct Golden: CustomTestStringConvertible, Sendable {
        let file: String
        let settings: EdgeSettings
        var testDescription: String { file }
    }

    static let goldens = [
        Golden(file: "plain.conf", settings: RouterFixtures.settings(directory: "/state/nginx")),
        Golden(
            file: "tls.conf",
            settings: RouterFixtures.settings(
                directory: "/state/nginx",
                certificate: .init(
                    chainPath: "/state/keys/wildcard.pem", keyPath: "/state/keys/wildcard.key", fingerprint: "5f2a"),
                workerUser: "www-data")),
    ]

    @Test(arguments: goldens) func rendersWhatWasReviewed(_ golden: Golden) throws {
        let rendered = NginxConfiguration(golden.settings).render()
        let path = RouterFixtures.goldenPath(golden.file)
        if ProcessInfo.processInfo.environment["WORKFLOW_UPDATE_GOLDENS"] == "1" {
            try Data(rendered.utf8).write(to: URL(filePath: path))
        }
        let expected = try String(decoding: Data(contentsOf: URL(filePath: path)), as: UTF8.self)
        #expect(rendered == expected)
    }
}
