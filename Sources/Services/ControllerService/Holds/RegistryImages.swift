import AccessTokens
import CurlTransfer
import HTTPTypes
import OCIRegistry
import PlatformModel

/// The images of apps in the platform's registry: which must not go, who needs them, and the tags they are known by.
struct RegistryImages: Sendable {
    /// The registry's `host:port` in image names.
    let host: String
    let service: String
    let issuer: RegistryTokenIssuer
    let client: HTTPClient

    /// The registry did not do what it was asked for.
    struct Refused: Error {
        let status: Int
        let text: String
    }

    /// The images of one repository, asked for with one token of five minutes.
    struct Repository: Sendable {
        fileprivate let url: String
        fileprivate let token: Secret
        fileprivate let client: HTTPClient
    }

    func repository(of app: AppName) throws -> Repository {
        let name = RegistryTokenService.repositoryName(of: app)
        let access = RegistryAccess(name: name, actions: ["hold", "pull", "delete"])
        let token = try issuer.token(subject: "controller", service: service, access: [access])
        // On this machine the registry speaks HTTP without TLS, as for the engine's pulls.
        let scheme = PodmanEngine.isOnLoopback(host) ? "http" : "https"
        return Repository(
            url: "\(scheme)://\(host)/v2/\(name)", token: token.token, client: client)
    }
}

extension RegistryImages.Repository {
    /// The held images and who holds each.
    func holders() async throws -> [ImageDigest: Set<String>] {
        struct List: Decodable {
            struct Entry: Decodable {
                let digest: ImageDigest
                let holders: Set<String>
            }
            let holds: [Entry]
        }
        let response = try await send(.get, "/_collection/holds")
        // Nothing was ever pushed there.
        guard response.status != 404 else { return [:] }
        let list = try Self.checked(response).decode(List.self)
        return Dictionary(list.holds.map { ($0.digest, $0.holders) }) { $0.union($1) }
    }

    /// Begins a hold; the same hold again changes nothing.
    ///
    /// - Returns: false when the repository has no such image.
    func place(_ digest: ImageDigest, for holder: String) async throws -> Bool {
        let response = try await send(.put, "/_collection/holds/\(digest)?holder=\(holder)")
        guard response.status != 404 else { return false }
        _ = try Self.checked(response)
        return true
    }

    /// Ends a hold; one that is not there has ended already.
    func end(_ digest: ImageDigest, for holder: String) async throws {
        let response = try await send(.delete, "/_collection/holds/\(digest)?holder=\(holder)")
        guard response.status != 404 else { return }
        _ = try Self.checked(response)
    }

    /// All tags of the repository.
    func tags() async throws -> [ImageTag] {
        struct List: Decodable {
            let tags: [ImageTag]
        }
        let response = try await send(.get, "/tags/list")
        // Nothing was ever pushed there.
        guard response.status != 404 else { return [] }
        return try Self.checked(response).decode(List.self).tags
    }

    /// Takes a tag away; the image goes with a collection unless something else keeps it.
    ///
    /// - Returns: false when the registry is one that deletes nothing.
    func remove(_ tag: ImageTag) async throws -> Bool {
        let response = try await send(.delete, "/manifests/\(tag)")
        guard response.status != 405 else { return false }
        if response.status != 404 { _ = try Self.checked(response) }
        return true
    }

    private func send(_ method: HTTPRequest.Method, _ path: String) async throws -> TransferResponse {
        try await client.send(
            TransferRequest(
                method: method, url: url + path, headers: [.authorization: "Bearer \(token.reveal())"],
                timeout: .seconds(30)),
            limit: 64 << 20)
    }

    private static func checked(_ response: TransferResponse) throws -> TransferResponse {
        guard response.isSuccess else {
            throw RegistryImages.Refused(status: response.status, text: String(response.text.prefix(200)))
        }
        return response
    }
}
