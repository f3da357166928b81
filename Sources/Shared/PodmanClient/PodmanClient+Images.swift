import CurlTransfer
import FoundationEssentials
import HTTPTypes
package import PlatformModel

/// Who pulls from a registry.
package struct RegistryCredential: Sendable, Hashable {
    package let userName: String
    package let password: Secret

    package init(userName: String, password: Secret) {
        self.userName = userName
        self.password = password
    }

    /// The value of podman's header: base64 of JSON.
    fileprivate func headerValue() throws -> String {
        struct Wire: Encodable {
            let username: String
            let password: String
        }
        let json = try JSONEncoder().encode(Wire(username: userName, password: password.reveal()))
        return json.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
    }
}

/// An image in local storage.
package struct ImageDetails: Decodable, Sendable {
    package struct Configuration: Decodable, Sendable {
        private enum CodingKeys: String, CodingKey {
            case command = "Cmd"
            case entrypoint = "Entrypoint"
            case ports = "ExposedPorts"
            case environment = "Env"
        }

        private struct Empty: Decodable, Sendable {}

        package let command: [String]?
        package let entrypoint: [String]?
        package let environment: [String]?
        private let ports: [String: Empty]?

        /// The exposed TCP ports in ascending order.
        package var tcpPorts: [Int] {
            (ports ?? [:]).keys.compactMap { key in
                key.hasSuffix("/udp") ? nil : Int(key.prefix { $0 != "/" })
            }.sorted()
        }
    }

    private enum CodingKeys: String, CodingKey {
        case id = "Id"
        case digest = "Digest"
        case tags = "RepoTags"
        case digests = "RepoDigests"
        case size = "Size"
        case configuration = "Config"
    }

    package let id: String
    package let digest: String?
    package let tags: [String]?
    package let digests: [String]?
    package let size: Int
    package let configuration: Configuration
}

/// One row of the image list.
package struct ImageSummary: Decodable, Sendable {
    private enum CodingKeys: String, CodingKey {
        case id = "Id"
        case tags = "RepoTags"
        case digests = "RepoDigests"
        case size = "Size"
        case created = "Created"
        case containers = "Containers"
    }

    package let id: String
    package let tags: [String]?
    package let digests: [String]?
    package let size: Int
    /// Seconds since 1970.
    package let created: Int
    /// How many containers use it.
    package let containers: Int?
}

extension PodmanClient {
    /// Fetches an image and returns its id; what is here already is not fetched again.
    ///
    /// - Parameters:
    ///   - reference: with registry and, for what shall be deployed, digest.
    ///   - usesPlainHTTP: speak HTTP without TLS; only for registries on the loopback interface.
    ///   - progress: gets podman's lines as they come.
    /// - Throws: ``PodmanError`` with `.pullFailed`, holding the registry's reason, or `.timeout` after two minutes of
    ///   silence.
    package func pullImage(
        _ reference: String, credential: RegistryCredential? = nil, usesPlainHTTP: Bool = false,
        progress: @Sendable (String) -> Void = { _ in }
    ) async throws -> String {
        struct Line: Decodable, Sendable {
            let stream: String?
            let error: String?
            let id: String?
        }
        var headers: HTTPFields = [:]
        if let credential, let name = HTTPField.Name("X-Registry-Auth") { headers[name] = try credential.headerValue() }
        let query = [
            QueryItem("reference", reference), QueryItem("tlsVerify", !usesPlainHTTP), QueryItem("policy", "missing"),
        ]
        let response = try await open(
            .post, "images/pull", query: query, headers: headers, idleTimeout: .seconds(120))
        var id: String?
        for try await line in JSONLines<Line>(source: response.body) {
            if let error = line.error { throw PodmanError(.pullFailed, message: error) }
            if let text = line.stream { progress(text) }
            id = line.id ?? id
        }
        guard let id else { throw PodmanError(.pullFailed, message: "The pull ended without an image.") }
        return id
    }

    /// - Throws: ``PodmanError`` with `.notFound`.
    package func inspectImage(_ reference: String) async throws -> ImageDetails {
        try await decoded(.get, "images/\(reference.percentEncoded)/json", as: ImageDetails.self)
    }

    package func listImages() async throws -> [ImageSummary] {
        let response = try await call(.get, "images/json")
        return try decode([ImageSummary]?.self, from: response) ?? []
    }

    package func imageExists(_ reference: String) async throws -> Bool {
        do {
            _ = try await call(.get, "images/\(reference.percentEncoded)/exists")
            return true
        } catch let error as PodmanError where error.code == .notFound || error.code == .imageUnknown {
            return false
        }
    }

    /// - Returns: false when there was none.
    /// - Throws: ``PodmanError`` with `.wrongState` while a container uses it.
    @discardableResult
    package func removeImage(_ reference: String) async throws -> Bool {
        do {
            _ = try await call(.delete, "images/\(reference.percentEncoded)")
            return true
        } catch let error as PodmanError where error.code == .notFound || error.code == .imageUnknown {
            return false
        }
    }

    /// Makes an image of one layer from an archive of a file system and returns its id.
    /// - Parameter changes: instructions as in a Dockerfile, such as `CMD ["sh"]`.
    package func importImage(archive path: String, as reference: String, changes: [String] = []) async throws -> String
    {
        struct Imported: Decodable {
            private enum CodingKeys: String, CodingKey { case id = "Id" }
            let id: String
        }
        let query = [QueryItem("reference", reference)] + changes.map { QueryItem("changes", $0) }
        let response = try await call(
            .post, "images/import", query: query, body: .file(path), headers: [.contentType: "application/x-tar"],
            timeout: .seconds(600))
        return try decode(Imported.self, from: response).id
    }
}
