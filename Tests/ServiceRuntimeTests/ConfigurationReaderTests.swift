import PlatformModel
import ServiceHTTP
import ServiceRuntime
import Testing

struct ConfigurationReaderTests {
    @Test func valuesAndDefaultsAreRead() throws {
        var reader = ConfigurationReader(variables: [
            "DATABASE_URL": "postgresql://x\n", "DATABASE_POOL_SIZE": "3", "SHUTDOWN_TIMEOUT": "1.5",
            "REGISTRY_DELETE": "no",
        ])
        let url = reader.secret("DATABASE_URL")
        let size = reader.integer("DATABASE_POOL_SIZE", default: 8, in: 1...100)
        let timeout = reader.duration("SHUTDOWN_TIMEOUT", default: .seconds(25))
        let isDeletable = reader.flag("REGISTRY_DELETE", default: true)
        let listen = reader.listen("CONTROLLER_LISTEN", default: "127.0.0.1:8000")
        let level = reader.string("LOG_LEVEL", default: "info")
        #expect(url.reveal() == "postgresql://x")
        #expect(size == 3)
        #expect(timeout == .milliseconds(1500))
        #expect(!isDeletable)
        #expect(listen.port == 8000)
        #expect(level == "info")
        try reader.validate()
    }

    @Test func allProblemsAreReportedAtOnce() {
        var reader = ConfigurationReader(variables: [
            "PORT": "many", "TIMEOUT": "soon", "ENABLED": "perhaps", "LISTEN": "nowhere", "KIND": "z",
        ])
        _ = reader.string("NAME")
        _ = reader.integer("PORT", default: 1, in: 1...9)
        _ = reader.duration("TIMEOUT", default: .zero)
        _ = reader.flag("ENABLED", default: true)
        _ = reader.listen("LISTEN", default: "127.0.0.1:1")
        _ = reader.choice("KIND", default: LoggingConfiguration.Format.text)
        let error = #expect(throws: ConfigurationError.self) { try reader.validate() }
        #expect(
            error?.problems == [
                "NAME is not set", "PORT must be a whole number from 1 to 9", "TIMEOUT must be a number of seconds",
                "ENABLED must be true or false", "LISTEN must be host:port, for example 127.0.0.1:8000",
                "KIND must be one of text, json",
            ])
    }

    @Test func listenAddressesReadIPv6() throws {
        let address = try ListenAddress("[::1]:80")
        #expect(address.host == "::1")
        #expect(address.description == "[::1]:80")
        for text in ["", "80", "host:", "host:x", "host:70000", ":80"] {
            #expect(throws: InvalidValue.self) { try ListenAddress(text) }
        }
    }
}
