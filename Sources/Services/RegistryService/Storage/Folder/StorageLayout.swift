import OCIRegistry
import OpenSSLCrypto

/// Where everything lies below the storage folder.
///
/// ```
/// blobs/<algorithm>/<2 digits>/<digest>                   content, immutable
/// repositories/<name>/_blobs/<algorithm>/<digest>         the blob is visible in the repository; holds its length
/// repositories/<name>/_manifests/<algorithm>/<digest>     what a manifest is and refers to
/// repositories/<name>/_tags/<tag>                         the digest a tag points to
/// repositories/<name>/_referrers/<subject>/<digest>       the descriptor of a manifest about the subject
/// repositories/<name>/_holds/<digest>/<holder>            the manifest must not go, because the holder needs it
/// damaged/<digest>                                        content that turned out to be something else
/// uploads/<id>/{data,session}                             an upload that goes on
/// incoming/<random>                                       a small file being written
/// ```
///
/// A component of a repository name never starts with an underscore, so names and folders cannot be confused. The
/// same keys suit an object store: every entry is one small object, and nothing is rewritten when others change.
struct StorageLayout: Sendable {
    let root: String

    /// Where a serving registry listens for the operator's commands.
    var control: String { "\(root)/control" }
    var lock: String { "\(root)/lock" }
    var blobs: String { "\(root)/blobs" }
    var repositories: String { "\(root)/repositories" }
    var uploads: String { "\(root)/uploads" }
    var incoming: String { "\(root)/incoming" }

    /// A path for a small file being written that nobody else uses.
    func temporary() -> String { "\(incoming)/\(SecureRandom.hex(16))" }

    func blob(_ digest: ImageDigest) -> String {
        "\(blobs)/\(digest.algorithm.rawValue)/\(digest.encoded.prefix(2))/\(digest.encoded)"
    }

    func damaged(_ digest: ImageDigest) -> String { "\(root)/damaged/\(digest.algorithm.rawValue)-\(digest.encoded)" }

    func repository(_ name: RepositoryName) -> String { "\(repositories)/\(name)" }

    func blobLinks(_ name: RepositoryName) -> String { "\(repository(name))/_blobs" }

    func blobLink(_ digest: ImageDigest, in name: RepositoryName) -> String {
        "\(blobLinks(name))/\(digest.algorithm.rawValue)/\(digest.encoded)"
    }

    func manifests(_ name: RepositoryName) -> String { "\(repository(name))/_manifests" }

    func manifest(_ digest: ImageDigest, in name: RepositoryName) -> String {
        "\(manifests(name))/\(digest.algorithm.rawValue)/\(digest.encoded)"
    }

    func tags(_ name: RepositoryName) -> String { "\(repository(name))/_tags" }

    func tag(_ tag: ImageTag, in name: RepositoryName) -> String { "\(tags(name))/\(tag)" }

    func referrers(of subject: ImageDigest, in name: RepositoryName) -> String {
        "\(repository(name))/_referrers/\(subject.algorithm.rawValue)-\(subject.encoded)"
    }

    func referrer(_ digest: ImageDigest, of subject: ImageDigest, in name: RepositoryName) -> String {
        "\(referrers(of: subject, in: name))/\(digest.algorithm.rawValue)-\(digest.encoded)"
    }

    /// The folders a repository consists of; those that make it known come last.
    func folders(_ name: RepositoryName) -> [String] {
        ["\(repository(name))/_referrers", holds(name), tags(name), blobLinks(name), manifests(name)]
    }

    func holds(_ name: RepositoryName) -> String { "\(repository(name))/_holds" }

    func holders(of digest: ImageDigest, in name: RepositoryName) -> String {
        "\(holds(name))/\(digest.algorithm.rawValue)-\(digest.encoded)"
    }

    func upload(_ id: UploadID) -> String { "\(uploads)/\(id)" }

    func uploadData(_ id: UploadID) -> String { "\(upload(id))/data" }

    func uploadSession(_ id: UploadID) -> String { "\(upload(id))/session" }
}
