/// Names an image: `[host[:port]/]repository[:tag][@digest]`.
///
/// Nothing is filled in: a reference without host, tag or digest has none. The first component is a host exactly when
/// it contains a dot, a colon or an upper-case letter, or is `localhost`, which is the rule of the container tools.
package struct ImageReference: Hashable, Sendable {
    /// The registry, when the reference names one.
    package let host: RegistryHost?
    /// The repository within the registry.
    package let repository: RepositoryName
    /// The tag; kept beside a digest, where it is only informative.
    package let tag: ImageTag?
    /// The digest, which pins the content.
    package let digest: ImageDigest?

    /// Puts a reference together.
    package init(host: RegistryHost?, repository: RepositoryName, tag: ImageTag? = nil, digest: ImageDigest? = nil) {
        self.host = host
        self.repository = repository
        self.tag = tag
        self.digest = digest
    }

    /// Reads a reference exactly as written.
    package init(_ text: String) throws(OCIError) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.first, !name.isEmpty else {
            throw OCIError(.invalidReference, "An image reference begins with a repository.")
        }
        digest = parts.count == 2 ? try ImageDigest(String(parts[1])) : nil
        var rest = name
        if let slash = name.firstIndex(of: "/"), RegistryHost.looksLikeHost(name[..<slash]) {
            host = try RegistryHost(String(name[..<slash]))
            rest = name[name.index(after: slash)...]
        } else {
            host = nil
        }
        if let colon = rest.firstIndex(of: ":") {
            tag = try ImageTag(String(rest[rest.index(after: colon)...]))
            rest = rest[..<colon]
        } else {
            tag = nil
        }
        repository = try RepositoryName(String(rest))
    }

    /// The same repository, pinned to `digest` and without a tag.
    package func pinned(to digest: ImageDigest) -> ImageReference {
        ImageReference(host: host, repository: repository, digest: digest)
    }

    /// The same repository under `tag` and without a digest.
    package func tagged(_ tag: ImageTag) -> ImageReference {
        ImageReference(host: host, repository: repository, tag: tag)
    }
}

extension ImageReference: CustomStringConvertible {
    package var description: String {
        var text = host.map { "\($0)/\(repository)" } ?? "\(repository)"
        if let tag { text += ":\(tag)" }
        if let digest { text += "@\(digest)" }
        return text
    }
}

extension ImageReference: Codable {
    package init(from decoder: any Decoder) throws {
        try self.init(String(from: decoder))
    }

    package func encode(to encoder: any Encoder) throws {
        try description.encode(to: encoder)
    }
}
