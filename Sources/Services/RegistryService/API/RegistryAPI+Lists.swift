import HTTPTypes
import Hummingbird
import OCIRegistry

extension RegistryAPI {
    func tags(_ request: Request, _ name: RepositoryName) async throws -> Response {
        let page = try PageRequest(request, limit: limits.pageSize)
        guard let tags = try await storage.tags(in: name) else {
            throw RegistryError(.nameUnknown, "The registry has no such repository.", detail: ["name": "\(name)"])
        }
        let (part, next) = page.cut(tags)
        return .names(
            part, as: "tags", after: "\"name\":\"\(name)\",",
            headers: PageRequest.link("/v2/\(name)/tags/list", next, page.count))
    }

    func catalog(_ request: Request) async throws -> Response {
        let page = try PageRequest(request, limit: limits.pageSize)
        let (part, next) = page.cut(try await storage.catalog())
        return .names(part, as: "repositories", headers: PageRequest.link("/v2/_catalog", next, page.count))
    }

    func referrers(_ request: Request, _ name: RepositoryName, _ digest: ImageDigest) async throws -> Response {
        var found = try await storage.referrers(of: digest, in: name)
        var fields: HTTPFields = [:]
        if let type = request.queryValue("artifactType"), !type.isEmpty {
            found.removeAll { $0.artifactType?.rawValue != type }
            fields[.ociFiltersApplied] = "artifactType"
        }
        return try .json(ImageIndex(manifests: found), type: OCIRegistry.MediaType.ociIndex.rawValue, headers: fields)
    }
}

/// The part of a list a request asks for: `n` entries after `last`.
struct PageRequest: Sendable {
    /// How many entries; nil for as many as one page holds.
    let count: Int?
    private let last: String?
    private let limit: Int

    init(_ request: Request, limit: Int) throws(RegistryError) {
        if let text = request.queryValue("n") {
            guard let count = Int(text), count >= 0 else {
                throw RegistryError(.paginationInvalid, "n must be a whole number, 0 or more.")
            }
            self.count = count
        } else {
            count = nil
        }
        last = request.queryValue("last")
        self.limit = limit
    }

    /// The page of a sorted list, and its last entry when more follow.
    ///
    /// Without `n` the whole list is the page, as clients that never look for a second page expect.
    func cut<Element: CustomStringConvertible>(_ list: [Element]) -> (page: [Element], next: Element?) {
        let rest =
            last.map { last in
                list.drop { !last.utf8.lexicographicallyPrecedes("\($0)".utf8) }
            } ?? list[...]
        guard let count else { return (Array(rest), nil) }
        let page = Array(rest.prefix(min(count, limit)))
        return (page, page.count < rest.count ? page.last : nil)
    }

    /// The `Link` field to the next page.
    static func link(_ path: String, _ next: (some CustomStringConvertible)?, _ count: Int?) -> HTTPFields {
        guard let next, let count else { return [:] }
        return [.link: "<\(path)?n=\(count)&last=\(next)>; rel=\"next\""]
    }
}
