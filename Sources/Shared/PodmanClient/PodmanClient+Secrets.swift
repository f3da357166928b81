import CurlTransfer
import HTTPTypes
package import PlatformModel

/// A stored value, without the value.
package struct SecretSummary: Sendable, Hashable {
    package let id: String
    package let name: String
}

extension PodmanClient {
    /// The largest value podman stores, in bytes; an empty one is refused as well.
    package static let largestSecret = 511_999

    /// Stores a value.
    /// - Throws: ``PodmanError`` with `.nameInUse`.
    package func createSecret(_ name: String, _ value: Secret) async throws {
        _ = try await call(
            .post, "secrets/create", query: [QueryItem("name", name)], body: .text(value.reveal()),
            headers: [.contentType: "application/octet-stream"])
    }

    /// Stores a value under a name that may have had another before.
    package func replaceSecret(_ name: String, _ value: Secret) async throws {
        try await removeSecret(name)
        try await createSecret(name, value)
    }

    /// - Returns: false when there was none.
    @discardableResult
    package func removeSecret(_ name: String) async throws -> Bool {
        do {
            _ = try await call(.delete, "secrets/\(name.percentEncoded)")
            return true
        } catch let error as PodmanError where error.code == .notFound {
            return false
        }
    }

    package func listSecrets() async throws -> [SecretSummary] {
        struct Row: Decodable {
            struct Specification: Decodable {
                private enum CodingKeys: String, CodingKey { case name = "Name" }
                let name: String
            }

            private enum CodingKeys: String, CodingKey {
                case id = "ID"
                case specification = "Spec"
            }
            let id: String
            let specification: Specification
        }
        let response = try await call(.get, "secrets/json")
        let rows = try decode([Row]?.self, from: response) ?? []
        return rows.map { SecretSummary(id: $0.id, name: $0.specification.name) }
    }
}
