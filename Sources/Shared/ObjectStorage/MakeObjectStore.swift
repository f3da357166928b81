package import CurlTransfer
package import PlatformModel

/// Opens the store a `STORAGE_URL` names: `file:///dir` or `s3://bucket?endpoint=…&region=…`.
///
/// A folder is created; so is a bucket, if the credentials permit, otherwise it has to exist.
/// - Parameter client: the process's HTTP client, for `s3://`; without one the store starts its own.
/// - Throws: ``ObjectStorageError`` with `.invalidConfiguration` and a sentence for the operator, or with what the
///   store answered.
package func makeObjectStore(
    url: String, accessKey: String? = nil, secretKey: Secret? = nil, client: HTTPClient? = nil
) async throws -> any ObjectStore {
    if url.hasPrefix("file:///"), url.utf8.count > "file:///".utf8.count {
        return try await FileObjectStore(directory: String(url.dropFirst("file://".count)))
    }
    guard url.hasPrefix("s3://") else {
        throw ObjectStorageError(
            .invalidConfiguration, "the storage URL must be file:///directory or s3://bucket?endpoint=http://host:port")
    }
    guard let accessKey, let secretKey, !accessKey.isEmpty, !secretKey.isEmpty else {
        throw ObjectStorageError(.invalidConfiguration, "an s3:// storage needs an access key and a secret key")
    }
    return try await S3ObjectStore.open(url: url, accessKey: accessKey, secretKey: secretKey, client: client)
}

extension S3ObjectStore {
    /// Opens the bucket an `s3://` URL names, creating it if the credentials permit.
    package static func open(
        url: String, accessKey: String, secretKey: Secret, client: HTTPClient? = nil
    ) async throws -> S3ObjectStore {
        let location = try S3Location(url: url)
        let credentials = S3Credentials(accessKey: accessKey, secretKey: secretKey)
        let store = S3ObjectStore(location: location, credentials: credentials, client: try client ?? HTTPClient())
        try await store.prepareBucket()
        return store
    }
}
