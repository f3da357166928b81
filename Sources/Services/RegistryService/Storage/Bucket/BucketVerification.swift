import OCIRegistry
import ObjectStorage

/// Reads everything in a bucket and compares it with what it should be, beside replicas and collections.
struct BucketVerification: Sendable {

    let storage: BucketStorage

    /// - Parameter progress: called with each piece of damaged content as it is found.
    func run(progress: @Sendable (ImageDigest) -> Void = { _ in }) async throws -> VerificationReport {
        var report = VerificationReport()
        var bad: Set<String> = []
        for (digest, entries) in try await contents() {
            let findings = try await storage.objects.map(entries) { entry in
                (entry.object, try await finding(entry, digest))
            }
            for (object, finding) in findings {
                guard case .read(let bytes, let isGood) = finding else {
                    if case .missing = finding { bad.insert(object) }
                    continue
                }
                report.checked += 1
                report.bytes += bytes
                guard !isGood else { continue }
                bad.insert(object)
                report.damaged.append(digest)
                progress(digest)
            }
        }
        for name in try await storage.catalog() { try await check(name, bad, &report) }
        return report
    }

    private enum Finding {
        case read(bytes: Int, isGood: Bool)
        case missing
    }

    private func contents() async throws -> [(ImageDigest, [ObjectEntry])] {
        try await storage.contentEntries().compactMap { key, entries in
            // What is no digest was not made by the registry.
            guard let digest = try? ImageDigest(key.replacing("/", with: ":")) else { return nil }
            return (digest, entries)
        }
    }

    private func finding(_ entry: ObjectEntry, _ digest: ImageDigest) async throws -> Finding {
        let hash = RunningHash(digest.algorithm)
        var bytes = 0
        do {
            let key = try ObjectKey(storage.layout.data(entry.object))
            for try await chunk in try await storage.objects.store.get(key, range: nil).body {
                hash.update(chunk)
                bytes += chunk.count
            }
        } catch let error as ObjectStorageError where error.code == .notFound {
            return .missing
        }
        return .read(bytes: bytes, isGood: hash.digest == digest && bytes == entry.size)
    }

    private func check(_ name: RepositoryName, _ bad: Set<String>, _ report: inout VerificationReport) async throws {
        let listing = try await storage.listing(of: name)
        for (digest, entries) in listing.blobs where entries.allSatisfy({ bad.contains($0.object) }) {
            // A collection may have removed it since the listing.
            guard try await !storage.links(digest, in: name).isEmpty else { continue }
            report.broken.append("\(name): blob \(digest) is missing or damaged")
        }
        let snapshot = try await storage.snapshot(of: listing, readingTags: true)
        let manifests = try await storage.objects.map(Array(snapshot.manifests.keys)) { digest in
            (digest, try await storage.manifest(.digest(digest), in: name) != nil)
        }
        let unreadable = listing.manifests.keys.filter { snapshot.manifests[$0] == nil }
        for digest in manifests.filter({ !$0.1 }).map(\.0) + unreadable {
            let entries = try await storage.objects.list(storage.layout.manifests(digest, in: name))
            guard !ObjectEntry.read(entries).isEmpty else { continue }
            report.broken.append("\(name): manifest \(digest) is missing or damaged")
        }
        for (tag, target) in snapshot.tags where snapshot.manifests[target.digest] == nil {
            if try await storage.manifest(.tag(tag), in: name) == nil, try await storage.resolve(tag, in: name) != nil {
                report.broken.append("\(name): tag \(tag) points to no manifest")
            }
        }
        for digest in listing.holds.keys where snapshot.manifests[digest] == nil {
            report.broken.append("\(name): held manifest \(digest) is missing")
        }
    }
}
