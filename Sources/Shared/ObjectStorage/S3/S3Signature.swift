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
        let (signature, names) = sign(subject, at: date)
        return "AWS4-HMAC-SHA256 Credential=\(credentials.accessKey)/\(scope(date)),SignedHeaders=\(names),"
            + "Signature=\(signature)"
    }

    /// The query of a URL by which anybody may read an object for some seconds.
    func presignedQuery(path: String, host: String, seconds: Int, at date: Date) -> String {
        let query = [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", "\(credentials.accessKey)/\(scope(date))"),
            ("X-Amz-Date", Self.timestamp(date)), ("X-Amz-Expires", "\(seconds)"), ("X-Amz-SignedHeaders", "host"),
        ].map { (name: $0.0, value: $0.1) }
        let subject = Subject(
            method: "GET", path: path, query: query, fields: [("host", host)], bodyHash: "UNSIGNED-PAYLOAD")
        return Self.canonicalQuery(query) + "&X-Amz-Signature=\(sign(subject, at: date).signature)"
    }

    private func scope(_ date: Date) -> String { "\(Self.timestamp(date).prefix(8))/\(region)/s3/aws4_request" }

    private func sign(_ subject: Subject, at date: Date) -> (signature: String, names: String) {
        let time = Self.timestamp(date)
        let fields = subject.fields.sorted { $0.name < $1.name }
        let names = fields.map(\.name).joined(separator: ";")
        let request = [
            subject.method, subject.path, Self.canonicalQuery(subject.query),
            fields.map { "\($0.name):\($0.value)\n" }.joined(), names, subject.bodyHash,
        ].joined(separator: "\n")
        let text = "AWS4-HMAC-SHA256\n\(time)\n\(scope(date))\n\(SHA256Digest.hex(request))"
        return (Hex.encode(HMACSHA256.authenticate(text, key: signingKey(String(time.prefix(8))))), names)
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
        items.map { "\(PercentCoding.encode($0.name))=\(PercentCoding.encode($0.value))" }
            .sorted().joined(separator: "&")
    }
}
