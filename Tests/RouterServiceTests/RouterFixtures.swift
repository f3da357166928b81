import FoundationEssentials
import RouterService

/// Settings and paths the router's tests share.
enum RouterFixtures {
    static func settings(
        directory: String, certificate: EdgeSettings.DefaultCertificate? = nil, workerUser: String? = nil
    ) -> EdgeSettings {
        EdgeSettings(
            directory: directory, bindAddresses: ["127.0.0.1", "[::1]"], httpPort: 8080, httpsPort: 8443,
            certificate: certificate,
            platformHosts: [
                .init(host: "drycc.workflow.localhost", address: "127.0.0.1:8000"),
                .init(host: "passport.workflow.localhost", address: "127.0.0.1:8001"),
            ],
            workerUser: workerUser, accessLogPath: "\(directory)/access.log")
    }

    static func goldenPath(_ name: String) -> String {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Fixtures/router/\(name)").path
    }
}
