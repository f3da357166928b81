import FoundationEssentials
import OpenSSLCrypto
import PlatformModel

/// Signs requests as AWS Signature Version 4 demands.
///
/// See https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
struct S3Signature: Sendable {
    let credentials: S3Credentials
    let region: String

    /// What a signature covers.
    struct Subject {
        let method: String
        /// The path, encoded, beginning with a slash.
        let path: String
        /// Name and value of each query item, not encoded.
        let query: [(name: String, value: String)]
        /// The fields to sign, names in lower case; `host` must be among them.
        var fields: [(name: String, value: String)]
        /// The hexadecimal SHA-256 of the body.
        let bodyHash: String
    }

    /// The `Authorization` field for a request whose fields include `x-amz-date` of the same time.
    func authorization(for subject: Subject, at date: Date) -> String {
        let time = Self.timestamp(date)
        let day = String(time.prefix(8))
        let scope = "\(day)/\(region)/s3/aws4_request"
        let fields = subject.fields.sorted { $0.name < $1.name }
        let names = fields.map(\.name).joined(separator: ";")
        let request = [
            subject.method, subject.path, Self.canonicalQuery(subject.query),
            fields.map { "\($0.name):\($0.value)\n" }.joined(), names, subject.bodyHash,
        ].joined(separator: "\n")
        let text = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(SHA256Digest.hex(request))"
        let signature = Hex.encode(HMACSHA256.authenticate(text, key: signingKey(day)))
        return "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope),SignedHeaders=\(names),"
            + "Signature=\(signature)"
    }

    private func signingKey(_ day: String) -> [UInt8] {
        var key = Array("AWS4\(credentials.secretKey.reveal())".utf8)
        for part in [day, region, "s3", "aws4_request"] { key = HMACSHA256.authenticate(part, key: key) }
        return key
    }

    /// `20130524T000000Z`
    static func timestamp(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted))
    }

    /// The query with names and values encoded, in order of names.
    static func canonicalQuery(_ items: [(name: String, value: String)]) -> String {
        items.map { "\(encode($0.name))=\(encode($0.value))" }.sorted().joined(separator: "&")
    }

    /// Percent-encodes everything but unreserved characters; slashes of a path stay.
    static func encode(_ text: String, keepingSlashes: Bool = false) -> String {
        var result = ""
        for byte in text.utf8 {
            let isPlain =
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
                case UInt8(ascii: "/"): keepingSlashes
                default: false
                }
            if isPlain {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%" + Hex.encode([byte]).uppercased()
            }
        }
        return result
    }
}
