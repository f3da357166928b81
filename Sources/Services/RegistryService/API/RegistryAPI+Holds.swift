import Hummingbird
import OCIRegistry

extension RegistryAPI {
    /// What this registry offers beyond the specification.
    static let extensions =
        #"{"extensions":[{"name":"_collection","description":"holds that keep manifests from going","#
        + #""endpoints":["_collection/holds"]}]}"#

    /// Begins or ends a hold: `PUT` and `DELETE …/_collection/holds/<digest>?holder=<name>`.
    func hold(_ request: Request, _ name: RepositoryName, _ digest: ImageDigest) async throws -> Response {
        guard let holder = request.queryValue("holder").flatMap({ HoldName($0) }) else {
            throw RegistryError(
                .nameInvalid,
                "A hold needs holder=name, of at most 128 letters, digits, dots, hyphens and underscores.")
        }
        if request.method == .put {
            guard try await storage.hold(digest, in: name, for: holder) else { throw Self.unknown(.digest(digest)) }
            return .empty(.created, [.contentLength: "0", .dockerContentDigest: "\(digest)"])
        }
        guard try await storage.release(digest, in: name, for: holder) else {
            throw RegistryError(
                .manifestUnknown, "\(holder) holds no such manifest.", detail: ["digest": "\(digest)"])
        }
        return .empty(.accepted, [.contentLength: "0"])
    }

    func holds(_ name: RepositoryName) async throws -> Response {
        struct Body: Encodable {
            struct Entry: Encodable {
                let digest: ImageDigest
                let holders: [String]
            }

            let name: RepositoryName
            let holds: [Entry]
        }
        let holds = try await storage.holds(in: name).map { digest, holders in
            Body.Entry(digest: digest, holders: holders.sorted().map(\.description))
        }
        return try .json(Body(name: name, holds: holds.sorted { "\($0.digest)" < "\($1.digest)" }))
    }
}
