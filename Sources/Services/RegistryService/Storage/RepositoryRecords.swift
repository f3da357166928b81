import FoundationEssentials
import OCIRegistry

/// A blob's entry in a repository.
struct BlobLink: Codable, Hashable, Sendable {
    /// The verified length, in bytes.
    let size: Int
}

/// A manifest's entry in a repository: what is needed to serve and to collect without reading the document.
struct ManifestRecord: Codable, Hashable, Sendable {
    /// The type the manifest was pushed with.
    let mediaType: MediaType
    /// The length of the document.
    let size: Int
    /// Blobs the manifest needs; for an index, the manifests it lists.
    let references: [ImageDigest]
    /// The manifest this one is about.
    let subject: ImageDigest?
    /// The type shown by the referrers API.
    let artifactType: MediaType?
    /// When it was pushed last.
    let pushed: Date
}

/// Encodes and decodes the records.
enum RecordCoding {
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    /// The record, or nil when the file is not one: a power loss may leave an empty file where flushing is off.
    static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: [UInt8]) -> Value? {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        // A record that cannot be read counts as missing, so the content is pushed again and the record replaced.
        return try? decoder.decode(type, from: Data(bytes))
    }
}
