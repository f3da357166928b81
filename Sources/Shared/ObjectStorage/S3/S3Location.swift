package import PlatformModel

/// The keys that sign requests.
package struct S3Credentials: Sendable {
    /// The public half.
    package let accessKey: String
    /// The private half.
    package let secretKey: Secret

    /// Takes a pair of keys.
    package init(accessKey: String, secretKey: Secret) {
        self.accessKey = accessKey
        self.secretKey = secretKey
    }
}

/// A bucket and where it is: `s3://bucket[/prefix]?endpoint=https://host:port&region=name&path_style=auto`.
///
/// Without an endpoint, Amazon's for the region is used. `path_style` is `auto`, a yes (`true`, `on`, `1`, `yes`,
/// `path`) or a no (`false`, `off`, `0`, `no`, `virtual`); `auto` puts the bucket into the path for addresses,
/// single-label hosts and hosts with a port.
package struct S3Location: Hashable, Sendable {
    /// The bucket.
    package let bucket: String
    /// What comes before every key: empty, or ending in a slash.
    package let prefix: String
    /// The signing region.
    package let region: String
    /// `http` or `https`.
    let scheme: String
    /// Host and port as they stand in the `Host` field.
    let host: String
    /// What comes before the key in the path: empty, or `/bucket`.
    let basePath: String

    /// Reads an `s3://` URL.
    package init(url: String) throws(ObjectStorageError) {
        guard url.hasPrefix("s3://") else { throw Self.problem("must begin with s3://") }
        let parts = url.dropFirst("s3://".count).split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0].split(separator: "/", omittingEmptySubsequences: true).map(String.init)
        guard let bucket = path.first, (3...63).contains(bucket.utf8.count), bucket.utf8.allSatisfy(Self.isBucketByte)
        else { throw Self.problem("names no valid bucket") }
        let options = try Self.options(parts.count == 2 ? parts[1] : "")
        let region = options["region"] ?? "us-east-1"
        let endpoint = options["endpoint"] ?? "https://s3.\(region).amazonaws.com"
        let (scheme, host) = try Self.split(endpoint)
        let usesPath = try Self.usesPath(options["path_style"] ?? "auto", host: host)
        self.bucket = bucket
        prefix = path.count > 1 ? path.dropFirst().joined(separator: "/") + "/" : ""
        self.region = region
        self.scheme = scheme
        self.host = usesPath ? host : "\(bucket).\(host)"
        basePath = usesPath ? "/\(bucket)" : ""
    }

    private static func options(_ query: Substring) throws(ObjectStorageError) -> [String: String] {
        var options: [String: String] = [:]
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, ["endpoint", "region", "path_style"].contains(parts[0]) else {
                throw problem("has the unknown option \(parts[0])")
            }
            options[parts[0]] = parts[1]
        }
        return options
    }

    private static func split(_ endpoint: String) throws(ObjectStorageError) -> (scheme: String, host: String) {
        for scheme in ["http", "https"] where endpoint.hasPrefix("\(scheme)://") {
            let host = endpoint.dropFirst(scheme.count + 3)
            let trimmed = host.hasSuffix("/") ? host.dropLast() : host
            guard !trimmed.isEmpty, !trimmed.contains(where: { "/?#@ ".contains($0) }) else { break }
            return (scheme, String(trimmed))
        }
        throw problem("needs an endpoint of the form http://host:port")
    }

    private static func usesPath(_ style: String, host: String) throws(ObjectStorageError) -> Bool {
        switch style.lowercased() {
        case "true", "on", "1", "yes", "path": return true
        case "false", "off", "0", "no", "virtual": return false
        case "auto":
            let isAddress = host.allSatisfy { $0.isNumber || $0 == "." } || host.hasPrefix("[")
            return isAddress || host.contains(":") || !host.contains(".")
        default: throw problem("has a path_style that is neither auto, true nor false")
        }
    }

    private static func isBucketByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: false
        }
    }

    private static func problem(_ text: String) -> ObjectStorageError {
        ObjectStorageError(.invalidConfiguration, "the storage URL \(text)")
    }
}
