import ConcurrencyPrimitives
import NIOCore
import OCIRegistry
import ObjectStorage
import ServiceHTTP

extension FolderStorage {
    func openBlob(_ digest: ImageDigest, in name: RepositoryName, for use: BlobUse) async throws -> BlobLookup {
        var opened = try threads.runHere { try openLoadedBlob(digest, in: name, for: use) }
        if opened == nil {
            opened = try await threads.run { try openBlobFile(digest, in: name, for: use) }
        }
        switch opened {
        case .unknown, nil: return .unknown
        case .damaged(let status):
            if let status { try await putAside(digest, status) }
            return .damaged
        case .small(let bytes):
            return .found(VisibleBlob(digest: digest, content: SmallBlob(bytes: bytes)))
        case .open(let blob):
            if use == .finding, try await !keepBlob(digest, in: name) { return .unknown }
            let reading = BlobReading(digest: digest, content: blob, storage: self)
            return .found(VisibleBlob(digest: digest, content: reading))
        }
    }

    func recallBlob(_ digest: ImageDigest, in name: RepositoryName) throws -> RecalledBlob? {
        guard let link = try metadata.linkSighting(digest, in: name) else { return nil }
        let size = link.value.size
        if size > VisibleBlob.smallSize, size <= FileSender.kernelSize {
            return RecalledBlob(size: size, bytes: nil, look: link.look)
        }
        guard let seen = try content.sighting(of: digest, size: size) else { return nil }
        return RecalledBlob(size: size, bytes: seen.value, look: .earlier(link.look, seen.look))
    }

    func loadedFile(_ digest: ImageDigest, size: Int) throws -> SentFile? {
        guard let known = verified[digest], let blob = try content.open(digest, size: size), blob.status == known,
            blob.isLoaded(0..<size)
        else { return nil }
        return try blob.file(0..<size)
    }

    func isUnchanged(since look: FolderLook) -> Bool { look.covers(FolderLook(files)) }

    private enum OpenedBlob {
        case unknown
        /// Missing, or as it is on the disk something else.
        case damaged(FileStatus?)
        /// Read whole and verified, because it is small and is to be read.
        case small(ByteBuffer)
        case open(OpenBlob)
    }

    /// Opens a blob that was used lately, without blocking; nil when something has to be read from the disk.
    private func openLoadedBlob(
        _ digest: ImageDigest, in name: RepositoryName, for use: BlobUse
    ) throws -> OpenedBlob? {
        guard let link = try metadata.recallLink(digest, in: name) else { return nil }
        if use == .reading, let bytes = try content.recall(digest, size: link.size) {
            return .small(ByteBuffer(bytes: bytes))
        }
        guard let blob = try content.open(digest, size: link.size) else { return .damaged(nil) }
        guard use == .reading, blob.size <= VisibleBlob.smallSize else { return .open(blob) }
        return blob.loadedBuffer().map { verified($0, blob, digest) }
    }

    /// Opens a blob. Blocking.
    private func openBlobFile(
        _ digest: ImageDigest, in name: RepositoryName, for use: BlobUse
    ) throws -> OpenedBlob {
        guard let link = try metadata.link(digest, in: name) else { return .unknown }
        guard let blob = try content.open(digest, size: link.size) else { return .damaged(nil) }
        guard use == .reading, blob.size <= VisibleBlob.smallSize else { return .open(blob) }
        return verified(try blob.buffer(0..<blob.size), blob, digest)
    }

    private func verified(_ bytes: ByteBuffer, _ blob: OpenBlob, _ digest: ImageDigest) -> OpenedBlob {
        let hash = RunningHash(digest.algorithm)
        hash.update(bytes)
        guard hash.digest == digest else { return .damaged(blob.status) }
        content.remember(bytes, digest, blob.status)
        return .small(bytes)
    }

    /// The length of a blob that is visible in a repository and whole.
    func blobSize(_ digest: ImageDigest, in name: RepositoryName) async throws -> Int? {
        try await threads.run { [content, metadata] in
            guard let link = try metadata.link(digest, in: name), try content.status(digest)?.size == link.size else {
                return nil
            }
            return link.size
        }
    }

    /// Makes the data of a finished upload a blob of its repository.
    ///
    /// - Throws: `DIGEST_INVALID` when the data is something else; the upload is untouched then.
    func commit(_ session: UploadSession, as digest: ImageDigest) async throws {
        try await digests.withKey(digest) {
            try await threads.run { [layout, files, content, metadata, verified] in
                guard try session.digest(like: digest) == digest else {
                    throw RegistryError.wrongContent(digest)
                }
                if files.isDurable { try session.synchronize() }
                let size = session.size
                let name = session.record.repository
                let placements = [
                    try content.placement(of: layout.uploadData(session.id), as: digest),
                    try metadata.placement(of: BlobLink(size: size), digest, in: name),
                ]
                try files.place(placements.compactMap(\.self))
                // It was hashed on its way in, and is in the page cache now: reading it would prove nothing more.
                verified[digest] = try content.status(digest)
            }
            journal.note(digest)
        }
        try await uploads.end(session.id)
    }

    /// Makes a blob of one repository visible in another; false when it is not there to be mounted.
    func mount(_ digest: ImageDigest, from source: RepositoryName, to target: RepositoryName) async throws -> Bool {
        try await digests.withKey(digest) {
            let isMounted = try await threads.run { [content, metadata, layout, files] in
                guard let link = try metadata.link(digest, in: source),
                    try content.status(digest)?.size == link.size, try files.touch(layout.blob(digest))
                else { return false }
                if let placement = try metadata.placement(of: link, digest, in: target) {
                    try files.place([placement])
                }
                return true
            }
            if isMounted { journal.note(digest) }
            return isMounted
        }
    }

    /// A repository among those `isReadable` accepts in which the blob is visible.
    func holder(
        of digest: ImageDigest, where isReadable: @escaping @Sendable (RepositoryName) -> Bool
    ) async throws -> RepositoryName? {
        try await threads.run { [content, metadata] in
            guard try content.status(digest) != nil else { return nil }
            return try metadata.repositories().first { name in
                try isReadable(name) && metadata.link(digest, in: name) != nil
            }
        }
    }

    /// Takes a blob out of a repository; false when it was not there. The content goes when nothing refers to it.
    func removeBlob(_ digest: ImageDigest, from name: RepositoryName) async throws -> Bool {
        try await repositories.withKey(name) {
            try await threads.run { [metadata] in
                try metadata.refuseHeld(digest, in: name)
                return try metadata.removeLink(digest, in: name)
            }
        }
    }
}
