import FoundationEssentials
import OCIRegistry
import ObjectStorage

/// The metadata of repositories as small files, each written as a whole. Blocking.
///
/// The order of writes keeps every state between them valid: content, then record, then referrer, then tag.
struct RepositoryFiles: Sendable {
    private static let recordLimit = 8 << 20

    let layout: StorageLayout
    let files: FileTree
    private let links = RememberedFiles<BlobLink>(limit: 16384)
    private let records = RememberedFiles<ManifestRecord>(limit: 4096)
    private let targets = RememberedFiles<ImageDigest>(limit: 16384)
    private let tagLists = RememberedFiles<[ImageTag]>(limit: 256)

    init(layout: StorageLayout, files: FileTree) {
        self.layout = layout
        self.files = files
    }

    /// Whether anything was ever pushed to the repository and is still there.
    func exists(_ name: RepositoryName) throws -> Bool {
        try files.status(layout.blobLinks(name)) != nil || files.status(layout.manifests(name)) != nil
    }

    // MARK: Blobs

    func link(_ digest: ImageDigest, in name: RepositoryName) throws -> BlobLink? {
        let path = layout.blobLink(digest, in: name)
        return try links.value(at: path, files) { try record(BlobLink.self, path) }
    }

    /// The entry of a blob if it need not be read, without blocking.
    func recallLink(_ digest: ImageDigest, in name: RepositoryName) throws -> BlobLink? {
        try linkSighting(digest, in: name)?.value
    }

    /// The entry of a blob if it need not be read, and when it was seen; without blocking.
    func linkSighting(
        _ digest: ImageDigest, in name: RepositoryName
    ) throws -> (value: BlobLink, look: FolderLook)? {
        try links.sighting(of: layout.blobLink(digest, in: name), files)
    }

    /// What makes a blob visible; nil when it is visible already, whose age is reset then.
    func placement(of link: BlobLink, _ digest: ImageDigest, in name: RepositoryName) throws -> FilePlacement? {
        let path = layout.blobLink(digest, in: name)
        if try self.link(digest, in: name) == link, try files.touch(path) { return nil }
        return try placement(of: link, at: path)
    }

    /// Removes the entry of a blob; the content's age begins anew.
    func removeLink(_ digest: ImageDigest, in name: RepositoryName) throws -> Bool {
        try files.touch(layout.blob(digest))
        return try files.remove(layout.blobLink(digest, in: name))
    }

    // MARK: Manifests

    func manifest(_ digest: ImageDigest, in name: RepositoryName) throws -> ManifestRecord? {
        let path = layout.manifest(digest, in: name)
        return try records.value(at: path, files, isKept: { $0.references.count <= 256 }) {
            try record(ManifestRecord.self, path)
        }
    }

    /// What a manifest is if it need not be read, without blocking.
    func recallManifest(_ digest: ImageDigest, in name: RepositoryName) throws -> ManifestRecord? {
        try records.recall(layout.manifest(digest, in: name), files)
    }

    func placement(
        of record: ManifestRecord, _ digest: ImageDigest, in name: RepositoryName
    ) throws -> FilePlacement {
        try placement(of: record, at: layout.manifest(digest, in: name))
    }

    /// Removes a manifest and its tags and referrer entry; tells whether it was there.
    ///
    /// Tags go first, so none ever points to a manifest that is gone. What it needed is not needed from now on, so the
    /// age of that begins anew.
    func removeManifest(_ digest: ImageDigest, in name: RepositoryName) throws -> Bool {
        guard let record = try manifest(digest, in: name) else { return false }
        for reference in record.references {
            try files.touch(layout.blobLink(reference, in: name))
            try files.touch(layout.manifest(reference, in: name))
        }
        for tag in try tags(in: name) where try resolve(tag, in: name) == digest {
            try files.remove(layout.tag(tag, in: name))
        }
        if let subject = record.subject {
            try files.remove(layout.referrer(digest, of: subject, in: name))
            try files.removeEmptyDirectory(layout.referrers(of: subject, in: name))
        }
        return try files.remove(layout.manifest(digest, in: name))
    }

    func manifests(in name: RepositoryName) throws -> [ImageDigest] {
        try digests(below: layout.manifests(name))
    }

    // MARK: Tags

    func resolve(_ tag: ImageTag, in name: RepositoryName) throws -> ImageDigest? {
        let path = layout.tag(tag, in: name)
        return try targets.value(at: path, files) {
            guard let bytes = try files.read(path, limit: 256) else { return nil }
            // An unreadable tag counts as missing; pushing it again replaces it.
            return try? ImageDigest(String(decoding: bytes, as: UTF8.self))
        }
    }

    /// What a tag points to if it need not be read, without blocking.
    func recallTarget(of tag: ImageTag, in name: RepositoryName) throws -> ImageDigest? {
        try targets.recall(layout.tag(tag, in: name), files)
    }

    /// What makes a tag point to a digest; nil when it does already, and is as new as one just written then.
    ///
    /// The age of the manifest it pointed to begins anew.
    func placement(of tag: ImageTag, to digest: ImageDigest, in name: RepositoryName) throws -> FilePlacement? {
        if let old = try resolve(tag, in: name) {
            if old == digest, try files.touch(layout.tag(tag, in: name)) { return nil }
            try files.touch(layout.manifest(old, in: name))
        }
        return FilePlacement(
            layout.tag(tag, in: name), bytes: Array("\(digest)".utf8), temporary: layout.temporary())
    }

    /// Removes a tag; the age of the manifest it pointed to begins anew.
    func removeTag(_ tag: ImageTag, in name: RepositoryName) throws -> Bool {
        if let digest = try resolve(tag, in: name) { try files.touch(layout.manifest(digest, in: name)) }
        return try files.remove(layout.tag(tag, in: name))
    }

    /// All tags in byte order.
    func tags(in name: RepositoryName) throws -> [ImageTag] {
        let folder = layout.tags(name)
        return try tagLists.value(at: folder, files, isKept: { $0.count <= 1000 }) {
            // A file whose name is no tag was not made by the registry.
            try files.names(in: folder).compactMap { try? ImageTag($0) }
        } ?? []
    }

    /// All tags if they need not be read, without blocking.
    func recallTags(in name: RepositoryName) throws -> [ImageTag]? {
        try tagLists.recall(layout.tags(name), files)
    }

    // MARK: Referrers

    func placement(
        of descriptor: Descriptor, about subject: ImageDigest, in name: RepositoryName
    ) throws -> FilePlacement {
        try placement(of: descriptor, at: layout.referrer(descriptor.digest, of: subject, in: name))
    }

    func referrers(of subject: ImageDigest, in name: RepositoryName) throws -> [Descriptor] {
        let folder = layout.referrers(of: subject, in: name)
        return try files.names(in: folder).compactMap { entry in
            try record(Descriptor.self, "\(folder)/\(entry)")
        }
    }

    // MARK: All repositories

    /// The names of all repositories that hold anything, in byte order.
    func repositories() throws -> [RepositoryName] {
        var found: [RepositoryName] = []
        var folders = [""]
        while let folder = folders.popLast() {
            let names = try files.names(in: "\(layout.repositories)/\(folder)")
            if !folder.isEmpty, names.contains(where: { $0.hasPrefix("_") }) {
                // A folder whose path is no name was not made by the registry.
                if let name = try? RepositoryName(folder) { found.append(name) }
            }
            for name in names where !name.hasPrefix("_") {
                folders.append(folder.isEmpty ? name : "\(folder)/\(name)")
            }
        }
        return found.sorted()
    }

    /// Takes a repository that holds nothing out of the catalog; tells whether it is out.
    ///
    /// Only empty folders go: what is written at this moment either keeps its folder or makes it again.
    func removeEmptied(_ name: RepositoryName) throws -> Bool {
        for folder in layout.folders(name) {
            for inner in try files.names(in: folder) { try files.removeEmptyDirectory("\(folder)/\(inner)") }
            guard try files.removeEmptyDirectory(folder) else { return false }
        }
        var folder = layout.repository(name)
        while folder != layout.repositories, try files.removeEmptyDirectory(folder) {
            folder = FileTree.parent(of: folder)
        }
        return true
    }

    /// The digests that have an entry below a folder of `<algorithm>/<digest>`.
    func digests(below folder: String) throws -> [ImageDigest] {
        try ImageDigest.Algorithm.allCases.flatMap { algorithm in
            try files.names(in: "\(folder)/\(algorithm.rawValue)").compactMap { name in
                // A file whose name is no digest was not made by the registry.
                try? ImageDigest(algorithm: algorithm, encoded: name)
            }
        }
    }

    private func record<Record: Decodable>(_ type: Record.Type, _ path: String) throws -> Record? {
        try files.read(path, limit: Self.recordLimit).flatMap { RecordCoding.decode(type, $0) }
    }

    private func placement(of record: some Encodable, at path: String) throws -> FilePlacement {
        FilePlacement(path, bytes: try RecordCoding.encode(record), temporary: layout.temporary())
    }
}
