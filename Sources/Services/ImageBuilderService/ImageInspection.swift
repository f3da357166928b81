import CommandRunner
import FoundationEssentials
import ServiceHTTP

/// Asks a built image which port it serves.
struct ImageInspection: Sendable {
    let buildah: Buildah

    /// The lowest TCP port the image exposes.
    func port(of imageID: String) async throws -> Int? {
        struct Inspected: Decodable {
            struct Image: Decodable {
                struct Configuration: Decodable {
                    let exposedPorts: [String: [String: String]]?

                    enum CodingKeys: String, CodingKey {
                        case exposedPorts = "ExposedPorts"
                    }
                }

                let config: Configuration
            }

            let image: Image

            enum CodingKeys: String, CodingKey {
                case image = "OCIv1"
            }
        }
        let result = try await CommandRunner.check(buildah.command(["inspect", "--type", "image", imageID]))
        let inspected = try JSONCoding.decoder.decode(Inspected.self, from: Data(result.standardOutput))
        let ports = (inspected.image.config.exposedPorts ?? [:]).keys.compactMap { entry -> Int? in
            let parts = entry.split(separator: "/")
            guard parts.count == 1 || parts.last == "tcp" else { return nil }
            return parts.first.flatMap { Int($0) }
        }
        return ports.min()
    }
}
