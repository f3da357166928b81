package import PlatformModel

/// Opens the store a `STORAGE_URL` names: `file:///dir`.
///
/// - Throws: ``ObjectStorageError`` with `.invalidConfiguration` and a sentence for the operator.
package func makeObjectStore(
    url: String, accessKey: String? = nil, secretKey: Secret? = nil
) async throws -> any ObjectStore {
    guard url.hasPrefix("file:///"), url.utf8.count > 8 else {
        throw ObjectStorageError(.invalidConfiguration, "the storage URL must be file:///directory")
    }
    return try await FileObjectStore(directory: String(url.dropFirst(7)))
}
