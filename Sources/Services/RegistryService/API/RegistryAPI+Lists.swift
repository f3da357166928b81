import HTTPTypes
import Hummingbird
import OCIRegistry
import PlatformModel

extension RegistryAPI {
    func tags(_ request: Request, _ name: RepositoryName) async throws -> Response {
        let page = try PageRequest(request, limit: limits.pageSize)
        guard let tags = try await storage.tags(in: name) else {
            throw RegistryError(.nameUnknown, "The registry has no such repository.", detail: ["name": "\(name)"])
        }
        let (part, next) = page.cut(tags)
        return .names(
            part, as: "tags", after: "\"name\":\"\(name)\",",
            headers: page.link("/v2/\(name)/tags/list", next))
    }

    func catalog(_ request: Request) async throws -> Response {
        let page = try PageRequest(request, limit: limits.pageSize)
        let (part, next) = page.cut(try await storage.catalog())
        return .names(part, as: "repositories", headers: page.link("/v2/_catalog", next))
    }

    func referrers(_ request: Request, _ name: RepositoryName, _ digest: ImageDigest) async throws -> Response {
        let page = try PageRequest(request, limit: limits.pageSize)
        var found = try await storage.referrers(of: digest, in: name)
        var fields: HTTPFields = [:]
        var filter = ""
        if let type = request.queryValue("artifactType"), !type.isEmpty {
            found.removeAll { $0.artifactType?.rawValue != type }
            fields[.ociFiltersApplied] = "artifactType"
            filter = "&artifactType=\(PercentCoding.encode(type))"
        }
        found.sort { "\($0.digest)" < "\($1.digest)" }
        // Unasked too: clients read at most so many bytes of an index.
        let (part, next) = page.cut(found, by: \.digest, unasked: limits.pageSize)
        fields = fields + page.link("/v2/\(name)/referrers/\(digest)", next, query: filter)
        return try .json(ImageIndex(manifests: part), type: OCIRegistry.MediaType.ociIndex.rawValue, headers: fields)
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
        let (page, next) = cut(list, by: \.self, unasked: .max)
        return (page, next)
    }

    /// The page of a list that is sorted by a key, and the key of its last entry when more follow.
    ///
    /// - Parameter unasked: how many entries the page has at most without `n`.
    func cut<Element, Key: CustomStringConvertible>(
        _ list: [Element], by key: (Element) -> Key, unasked: Int
    ) -> (page: [Element], next: Key?) {
        let rest =
            last.map { last in
                list.drop { !last.utf8.lexicographicallyPrecedes("\(key($0))".utf8) }
            } ?? list[...]
        let page = Array(rest.prefix(count.map { min($0, limit) } ?? unasked))
        return (page, page.count < rest.count ? page.last.map(key) : nil)
    }

    /// The `Link` field to the next page (RFC 8288).
    ///
    /// - Parameter query: further parameters of the list, already percent-encoded.
    func link(_ path: String, _ next: (some CustomStringConvertible)?, query: String = "") -> HTTPFields {
        guard let next else { return [:] }
        return [.link: "<\(path)?n=\(count ?? limit)&last=\(next)\(query)>; rel=\"next\""]
    }
}
