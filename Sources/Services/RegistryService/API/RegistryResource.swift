import HTTPTypes
import OCIRegistry
import PlatformModel

/// A tag or a digest, as manifests are addressed.
enum ManifestReference: Hashable, Sendable {
    case tag(ImageTag)
    case digest(ImageDigest)
    /// A text that is neither and therefore names nothing; it cannot be pushed to.
    case impossible(String)

    /// Reads the last component of a manifest's path: with a colon it must be a digest.
    init(_ text: String) throws(OCIError) {
        if text.contains(":") {
            self = .digest(try ImageDigest(text))
            return
        }
        do throws(OCIError) {
            self = .tag(try ImageTag(text))
        } catch {
            self = .impossible(text)
        }
    }
}

/// What a path of the registry API names. The only place where paths are taken apart.
enum RegistryResource: Hashable, Sendable {
    case base
    case catalog
    case extensions
    case blob(RepositoryName, ImageDigest)
    case uploads(RepositoryName)
    case upload(RepositoryName, UploadID)
    case manifest(RepositoryName, ManifestReference)
    case tags(RepositoryName)
    case referrers(RepositoryName, ImageDigest)
    /// The held manifests of a repository.
    case holds(RepositoryName)
    case hold(RepositoryName, ImageDigest)

    /// Reads a path below `/v2`.
    init(path: String) throws(RegistryError) {
        let parts = try Self.components(path)
        do throws(OCIError) {
            self = try Self.parse(parts[...]) ?? .base
        } catch {
            throw RegistryError(Self.code(of: error), error.reason)
        }
        if self == .base, !(parts.isEmpty || parts == [""]) {
            throw RegistryError(.pathUnknown, "The registry has no such path.")
        }
    }

    /// A stable name for metrics.
    var label: String {
        switch self {
        case .base: "base"
        case .catalog: "catalog"
        case .extensions: "extensions"
        case .blob: "blob"
        case .uploads: "uploads"
        case .upload: "upload"
        case .manifest: "manifest"
        case .tags: "tags"
        case .referrers: "referrers"
        case .holds: "holds"
        case .hold: "hold"
        }
    }

    /// The methods that make sense for the resource.
    var methods: [HTTPRequest.Method] {
        switch self {
        case .base: [.get, .head]
        case .catalog, .extensions, .tags, .referrers, .holds: [.get, .head]
        case .hold: [.put, .delete]
        case .blob: [.get, .head, .delete]
        case .uploads: [.post]
        case .upload: [.get, .patch, .put, .delete]
        case .manifest: [.get, .head, .put, .delete]
        }
    }

    /// The decoded components behind `/v2/`; empty for `/v2`.
    private static func components(_ path: String) throws(RegistryError) -> [String] {
        var parts: [String] = []
        // By bytes: a path is seldom anything but ASCII, and this is done for every request.
        for part in path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst(2) {
            guard let text = PercentCoding.decode(Substring(part)),
                !text.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == 0 })
            else {
                throw RegistryError(.pathUnknown, "The path is not well formed.")
            }
            parts.append(text)
        }
        return parts
    }

    /// Reads from the end, because a repository's name may contain any of the words.
    private static func parse(_ parts: ArraySlice<String>) throws(OCIError) -> Self? {
        if parts == ["_catalog"] { return .catalog }
        if parts == ["_oci", "ext", "discover"] { return .extensions }
        guard parts.count >= 3, let last = parts.last else { return nil }
        if parts.count >= 4, parts.suffix(3).prefix(2) == ["blobs", "uploads"] {
            let name = try RepositoryName(parts.dropLast(3).joined(separator: "/"))
            guard !last.isEmpty else { return .uploads(name) }
            return UploadID(last).map { .upload(name, $0) }
        }
        if parts.suffix(2) == ["_collection", "holds"] {
            return .holds(try RepositoryName(parts.dropLast(2).joined(separator: "/")))
        }
        if parts.suffix(3).prefix(2) == ["_collection", "holds"] {
            return .hold(try RepositoryName(parts.dropLast(3).joined(separator: "/")), try ImageDigest(last))
        }
        let name = parts.dropLast(2).joined(separator: "/")
        switch parts[parts.endIndex - 2] {
        case "blobs" where last == "uploads": return .uploads(try RepositoryName(name))
        case "blobs": return .blob(try RepositoryName(name), try ImageDigest(last))
        case "manifests": return .manifest(try RepositoryName(name), try ManifestReference(last))
        case "referrers": return .referrers(try RepositoryName(name), try ImageDigest(last))
        case "tags" where last == "list": return .tags(try RepositoryName(name))
        default: return nil
        }
    }

    private static func code(of error: OCIError) -> RegistryError.Code {
        switch error.code {
        case .invalidDigest: .digestInvalid
        case .invalidTag: .tagInvalid
        default: .nameInvalid
        }
    }
}

/// What the paths asked for lately name. Popular ones are asked for again and again, and taking a path apart costs a
/// twentieth of answering it.
final class KnownResources: Sendable {
    private let known = BoundedCache<String, RegistryResource>(limit: 16384)

    /// What a path asked for lately names.
    func recall(_ path: String) -> RegistryResource? { known[path] }

    func resource(at path: String) throws(RegistryError) -> RegistryResource {
        if let resource = known[path] { return resource }
        let resource = try RegistryResource(path: path)
        switch resource {
        case .blob, .manifest, .tags: known[path] = resource
        default: break
        }
        return resource
    }
}
