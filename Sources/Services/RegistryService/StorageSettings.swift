import ObjectStorage
import PlatformModel
import ServiceRuntime

/// Where the registry keeps everything.
///
/// - `REGISTRY_STORAGE`: `file:///absolute/folder` or `s3://bucket[/prefix]?endpoint=…&region=…`, required. One
///   process serves a folder; any number of replicas serve a bucket.
/// - `STORAGE_ACCESS_KEY`, `STORAGE_SECRET_KEY` (secret): required with `s3://`.
/// - `REGISTRY_FSYNC`: whether content and metadata are flushed before a push to a folder is confirmed, default true.
/// - `REGISTRY_REDIRECT`: whether clients are sent to the S3 service for content, default false.
struct StorageSettings: Sendable {
    /// The kind of storage.
    enum Place: Sendable {
        case folder(String)
        case bucket(url: String, accessKey: String, secretKey: Secret)
    }

    let place: Place
    let isDurable: Bool
    let redirects: Bool

    init(reader: inout ConfigurationReader) {
        let url = reader.value("REGISTRY_STORAGE") { text throws(InvalidValue) in try Self.check(text) } ?? ""
        let accessKey = reader.optionalString("STORAGE_ACCESS_KEY")
        let secretKey = reader.optionalSecret("STORAGE_SECRET_KEY")
        if url.hasPrefix("s3://") {
            if accessKey == nil { reader.report("STORAGE_ACCESS_KEY", "is not set") }
            if secretKey == nil { reader.report("STORAGE_SECRET_KEY", "is not set") }
            place = .bucket(url: url, accessKey: accessKey ?? "", secretKey: secretKey ?? Secret(""))
        } else {
            place = .folder(String(url.dropFirst("file://".count)))
        }
        isDurable = reader.flag("REGISTRY_FSYNC", default: true)
        redirects = reader.flag("REGISTRY_REDIRECT", default: false)
    }

    /// Opens the storage.
    ///
    /// - Parameter grace: how long something that nothing needs stays.
    func open(grace: Duration) async throws -> any RegistryStorage {
        switch place {
        case .folder(let root): try await FolderStorage(root: root, isDurable: isDurable, grace: grace)
        case .bucket: try await bucket(grace: grace)
        }
    }

    /// Opens the bucket; nil when the storage is a folder.
    func openBucket(grace: Duration) async throws -> BucketStorage? {
        guard case .bucket = place else { return nil }
        return try await bucket(grace: grace)
    }

    private func bucket(grace: Duration) async throws -> BucketStorage {
        guard case .bucket(let url, let accessKey, let secretKey) = place else {
            preconditionFailure("only called for a bucket")
        }
        let store = try await S3ObjectStore.open(url: url, accessKey: accessKey, secretKey: secretKey)
        return BucketStorage(store: store, redirects: redirects, grace: grace)
    }

    private static func check(_ text: String) throws(InvalidValue) -> String {
        if text.hasPrefix("file:///"), text.utf8.count > "file:///".utf8.count { return text }
        guard text.hasPrefix("s3://") else {
            throw InvalidValue(kind: "storage", message: "must be file:///absolute/folder or s3://bucket?endpoint=…")
        }
        do throws(ObjectStorageError) {
            _ = try S3Location(url: text)
        } catch {
            throw InvalidValue(kind: "storage", message: error.detail)
        }
        return text
    }
}
