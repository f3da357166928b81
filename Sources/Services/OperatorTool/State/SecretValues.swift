import FoundationEssentials
import OpenSSLCrypto
import PlatformModel
import ServiceHTTP
import ServiceRuntime

/// The secrets one installation made for itself, generated once and kept in a file only its owner can read.
struct SecretValues: Sendable {
    /// What each secret is for.
    enum Use: String, CaseIterable, Sendable {
        case controllerDatabase = "controller_database"
        case passportDatabase = "passport_database"
        case broker
        case controllerKey = "controller_key"
        case passportKey = "passport_key"
        case controllerClient = "client_controller"
        case builderClient = "client_builder"
        case routerClient = "client_router"
        case shipperClient = "client_shipper"

        /// AES keys are base64 of 32 bytes; the rest goes into URLs and SQL and is therefore hexadecimal.
        fileprivate func generate() -> String {
            switch self {
            case .controllerKey, .passportKey: Base64.encode(SecureRandom.bytes(32))
            default: Hex.encode(SecureRandom.bytes(24))
            }
        }
    }

    private var values: [String: String]

    subscript(_ use: Use) -> Secret { Secret(values[use.rawValue] ?? "") }

    /// Reads the file and adds what is missing, so that a newer version's secrets join the older ones.
    static func load(from state: StateDirectory) throws -> SecretValues {
        var values: [String: String] = [:]
        if let bytes = try StateFile.read(state.secretValues) {
            values = try JSONCoding.decoder.decode([String: String].self, from: Data(bytes))
        }
        let missing = Use.allCases.filter { values[$0.rawValue] == nil }
        for use in missing { values[use.rawValue] = use.generate() }
        if !missing.isEmpty {
            try StateFile.write(JSONCoding.encoder.encode(values), to: state.secretValues, mode: 0o600)
        }
        return SecretValues(values: values)
    }

    /// Writes a service's secrets where its `SECRETS_DIRECTORY` points, one file a key, and nothing else there.
    static func write(_ secrets: [String: Secret], for service: String, in state: StateDirectory) throws {
        let directory = state.secrets(of: service)
        try StateFile.makeDirectory(directory, mode: 0o700)
        for (key, secret) in secrets {
            let name = key.lowercased().replacing("_", with: "-")
            try StateFile.write(secret.reveal() + "\n", to: "\(directory)/\(name)", mode: 0o600)
        }
    }
}
