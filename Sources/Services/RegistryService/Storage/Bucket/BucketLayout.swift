import OCIRegistry

/// Where everything lies in the bucket, as keys.
///
/// ```
/// data/<object>                                                     content; written once, never replaced
/// blobs/<algorithm>/<digest>/<object>-<size>                        which object has the content of a digest
/// repositories/<name>/_blobs/<algorithm>/<digest>/<object>-<size>   the blob is visible in the repository; where the
///                                                                   content was there before, with -<entry> behind it
/// repositories/<name>/_manifests/<algorithm>/<digest>/<object>      record and document of a manifest
/// repositories/<name>/_tags/<tag>                                   the digest and object a tag points to
/// repositories/<name>/_tagged/<digest>/<tag>                        the tag pointed to the digest once
/// repositories/<name>/_referrers/<subject>/<digest>                 the descriptor of a manifest about the subject
/// repositories/<name>/_holds/<digest>/<holder>                      the manifest must not go: the holder needs it
/// names/<name>/<object>                                             the repository exists; slashes are written +
/// uploads/<id>/state, uploads/<id>/tail-<n>                         an upload that goes on
/// ```
///
/// An entry of `blobs`, `_blobs`, `_manifests` or `names` with the ending `.out` marks the one of the same name as
/// condemned.
/// Every push makes objects of new names or writes anew what no collection can be about to remove, so a collection that
/// removes an old object never meets a new one.
struct BucketLayout: Sendable {
    static let condemned = ".out"

    func data(_ object: String) -> String { "data/\(object)" }

    func content(_ digest: ImageDigest) -> String { "blobs/\(digest.algorithm.rawValue)/\(digest.encoded)/" }

    func repository(_ name: RepositoryName) -> String { "repositories/\(name)/" }

    func links(_ digest: ImageDigest, in name: RepositoryName) -> String {
        "\(repository(name))_blobs/\(digest.algorithm.rawValue)/\(digest.encoded)/"
    }

    func manifests(_ digest: ImageDigest, in name: RepositoryName) -> String {
        "\(repository(name))_manifests/\(digest.algorithm.rawValue)/\(digest.encoded)/"
    }

    func tags(_ name: RepositoryName) -> String { "\(repository(name))_tags/" }

    func tag(_ tag: ImageTag, in name: RepositoryName) -> String { "\(tags(name))\(tag)" }

    func tagged(_ digest: ImageDigest, in name: RepositoryName) -> String {
        "\(repository(name))_tagged/\(Self.flat(digest))/"
    }

    func referrers(of subject: ImageDigest, in name: RepositoryName) -> String {
        "\(repository(name))_referrers/\(Self.flat(subject))/"
    }

    func referrer(_ digest: ImageDigest, of subject: ImageDigest, in name: RepositoryName) -> String {
        referrers(of: subject, in: name) + Self.flat(digest)
    }

    func holds(_ name: RepositoryName) -> String { "\(repository(name))_holds/" }

    func holders(of digest: ImageDigest, in name: RepositoryName) -> String {
        "\(holds(name))\(Self.flat(digest))/"
    }

    let names = "names/"
    let oldNames = "catalog/"

    func names(_ name: RepositoryName) -> String { "\(names)\("\(name)".replacing("/", with: "+"))/" }

    let uploads = "uploads/"

    func uploadState(_ id: UploadID) -> String { "\(uploads)\(id)/state" }

    func uploadTail(_ id: UploadID, _ generation: Int) -> String { "\(uploads)\(id)/tail-\(generation)" }

    /// A digest as one component of a key.
    static func flat(_ digest: ImageDigest) -> String { "\(digest.algorithm.rawValue)-\(digest.encoded)" }

    /// Reads what ``flat(_:)`` wrote.
    static func digest(flat text: some StringProtocol) -> ImageDigest? {
        let parts = text.split(separator: "-", maxSplits: 1)
        guard parts.count == 2, let algorithm = ImageDigest.Algorithm(rawValue: String(parts[0])) else { return nil }
        // What is no digest was not written by the registry.
        return try? ImageDigest(algorithm: algorithm, encoded: String(parts[1]))
    }
}
