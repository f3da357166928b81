import CurlTransfer
import HTTPTypes

/// A bridge network.
package struct NetworkDetails: Decodable, Sendable {
    package struct Subnet: Decodable, Sendable {
        package let subnet: String
        package let gateway: String?
    }

    package let name: String
    package let id: String
    package let driver: String
    package let subnets: [Subnet]?
    package let labels: [String: String]?
}

extension PodmanClient {
    /// Creates a bridge network with DNS between its containers.
    /// - Parameter interface: the bridge's name on the host, 15 bytes at most; podman picks one when nil.
    /// - Throws: ``PodmanError`` with `.nameInUse`.
    @discardableResult
    package func createNetwork(
        _ name: String, interface: String? = nil, labels: [String: String] = [:]
    ) async throws -> NetworkDetails {
        struct Specification: Encodable {
            private enum CodingKeys: String, CodingKey {
                case name, driver, labels
                case hasDNS = "dns_enabled"
                case interface = "network_interface"
            }
            let name: String
            let driver = "bridge"
            let hasDNS = true
            let interface: String?
            let labels: [String: String]
        }
        let specification = Specification(name: name, interface: interface, labels: labels)
        let response = try await call(.post, "networks/create", json: specification)
        return try decode(NetworkDetails.self, from: response)
    }

    /// - Throws: ``PodmanError`` with `.notFound`.
    package func inspectNetwork(_ name: String) async throws -> NetworkDetails {
        try await decoded(.get, "networks/\(name.percentEncoded)/json", as: NetworkDetails.self)
    }

    /// Networks that carry every one of `labels` (`name=value`).
    package func listNetworks(labels: [String] = []) async throws -> [NetworkDetails] {
        let filters = try QueryItem.filters(labels.isEmpty ? [:] : ["label": labels])
        let response = try await call(.get, "networks/json", query: [filters])
        return try decode([NetworkDetails]?.self, from: response) ?? []
    }

    /// - Returns: false when there was none.
    /// - Throws: ``PodmanError`` while containers are attached.
    @discardableResult
    package func removeNetwork(_ name: String) async throws -> Bool {
        do {
            _ = try await call(.delete, "networks/\(name.percentEncoded)")
            return true
        } catch let error as PodmanError where error.code == .notFound {
            return false
        }
    }

    /// Attaches a running container to a further network.
    package func connect(_ container: String, to network: String, aliases: [String] = []) async throws {
        struct Connection: Encodable {
            let container: String
            let aliases: [String]
        }
        _ = try await call(
            .post, "networks/\(network.percentEncoded)/connect",
            json: Connection(container: container, aliases: aliases))
    }
}
