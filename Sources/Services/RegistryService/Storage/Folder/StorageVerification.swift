import OCIRegistry
import ObjectStorage

/// Reads everything that is stored and compares it with what it should be.
struct StorageVerification: Sendable {
    let layout: StorageLayout
    private let files = FileTree(isDurable: false)

    /// Blocks until everything has been read. May run beside a serving registry.
    ///
    /// - Parameter progress: called with each piece of damaged content as it is found.
    func run(progress: (ImageDigest) -> Void = { _ in }) throws -> VerificationReport {
        var report = VerificationReport()
        for digest in try RepositoryFiles(layout: layout, files: files).contents() {
            report.checked += 1
            if try isWhole(digest, counting: &report.bytes) { continue }
            report.damaged.append(digest)
            progress(digest)
        }
        try checkRepositories(&report)
        return report
    }

    private func isWhole(_ digest: ImageDigest, counting bytes: inout Int) throws -> Bool {
        // Content collected since the listing is not damaged.
        guard let status = try files.status(layout.blob(digest)) else { return true }
        bytes += status.size
        let hasher = ContentHasher(digest.algorithm)
        try UploadSession.hash(layout.blob(digest), into: hasher)
        return hasher.digest() == digest
    }

    private func checkRepositories(_ report: inout VerificationReport) throws {
        let metadata = RepositoryFiles(layout: layout, files: files)
        let damaged = Set(report.damaged)
        for name in try metadata.repositories() {
            for digest in try metadata.digests(below: layout.blobLinks(name)) {
                guard let link = try metadata.link(digest, in: name) else { continue }
                if try files.status(layout.blob(digest))?.size != link.size || damaged.contains(digest) {
                    // A collection may have removed both since.
                    guard try metadata.link(digest, in: name) != nil else { continue }
                    report.broken.append("\(name): blob \(digest) is missing or damaged")
                }
            }
            for digest in try metadata.manifests(in: name) {
                guard let record = try metadata.manifest(digest, in: name) else { continue }
                if try files.status(layout.blob(digest))?.size != record.size || damaged.contains(digest) {
                    guard try metadata.manifest(digest, in: name) != nil else { continue }
                    report.broken.append("\(name): manifest \(digest) is missing or damaged")
                }
            }
            for tag in try metadata.tags(in: name) {
                guard let digest = try metadata.resolve(tag, in: name) else { continue }
                if try metadata.manifest(digest, in: name) == nil, try metadata.resolve(tag, in: name) == digest {
                    report.broken.append("\(name): tag \(tag) points to no manifest")
                }
            }
            for digest in try metadata.holds(in: name).keys where try metadata.manifest(digest, in: name) == nil {
                report.broken.append("\(name): held manifest \(digest) is missing")
            }
        }
    }
}
