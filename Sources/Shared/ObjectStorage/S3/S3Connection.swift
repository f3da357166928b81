import ConcurrencyPrimitives
import CurlTransfer
import FoundationEssentials
import HTTPTypes
import OpenSSLCrypto
import PlatformModel

/// Sends signed requests to one bucket and repeats those that failed for a passing reason.
struct S3Connection: Sendable {
    /// One request, relative to the bucket.
    struct Call {
        let method: HTTPRequest.Method
        /// The object's full key, or nil for the bucket itself.
        var key: String?
        var query: [(name: String, value: String)] = []
        var body: [UInt8] = []
        var range: Range<Int>?
    }

    private static let attempts = 4

    let location: S3Location
    let client: HTTPClient
    private let signature: S3Signature

    init(location: S3Location, credentials: S3Credentials, client: HTTPClient) {
        self.location = location
        self.client = client
        signature = S3Signature(credentials: credentials, region: location.region)
    }

    /// Sends a request and returns the whole answer, whatever its status, after as many attempts as make sense.
    func send(_ call: Call) async throws -> TransferResponse {
        try await retrying {
            let response = try await client.send(request(call))
            return (response.status, response)
        }
    }

    /// Sends a request and returns once the head of the answer is here.
    func stream(_ call: Call) async throws -> StreamedResponse {
        try await retrying {
            let response = try await client.stream(request(call))
            return (response.status, response)
        }
    }

    /// The error an answer stands for.
    func error(_ status: Int, _ body: [UInt8], _ call: Call) -> ObjectStorageError {
        let name = S3Reply(body).value("Code") ?? "status \(status)"
        let detail = "\(call.method.rawValue) \(call.key ?? location.bucket): \(name)"
        return switch (status, name) {
        case (404, _): ObjectStorageError(.notFound, detail)
        case (401, _), (403, _): ObjectStorageError(.denied, detail)
        case (416, _): ObjectStorageError(.rangeNotSatisfiable, detail)
        case (507, _): ObjectStorageError(.storageFull, detail)
        case (429, _), (500..., _): ObjectStorageError(.unavailable, detail)
        default: ObjectStorageError(.failed, detail)
        }
    }

    /// A URL that lets whoever has it read an object for a while.
    func presignedURL(_ key: String, lifetime: Duration) -> String {
        let path = location.basePath + "/" + PercentCoding.encode(key, keeping: "/")
        let query = signature.presignedQuery(
            path: path, host: location.host, seconds: Int(lifetime.components.seconds), at: .now)
        return "\(location.scheme)://\(location.host)\(path)?\(query)"
    }

    private func retrying<Response>(
        _ attempt: () async throws -> (status: Int, Response)
    ) async throws -> Response {
        var waits = Backoff(initial: .milliseconds(100), limit: .seconds(3)).makeIterator()
        for number in 1... {
            do {
                let (status, response) = try await attempt()
                guard [429, 500, 502, 503, 504].contains(status), number < Self.attempts else { return response }
            } catch let error as TransferError {
                guard error.isTransient, number < Self.attempts else {
                    throw ObjectStorageError(error.isTransient ? .unavailable : .failed, "\(error)")
                }
            }
            if let wait = waits.next() { try await Task.sleep(for: wait) }
        }
        throw ObjectStorageError(.unavailable, "no attempt was made")
    }

    private func request(_ call: Call) -> TransferRequest {
        let now = Date.now
        let path =
            location.basePath + "/" + PercentCoding.encode(call.key ?? "", keeping: "/")
        let bodyHash = SHA256Digest.hex(call.body)
        var fields: [(name: String, value: String)] = [
            ("host", location.host), ("x-amz-content-sha256", bodyHash), ("x-amz-date", S3Signature.timestamp(now)),
        ]
        if let range = call.range { fields.append(("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")) }
        let subject = S3Signature.Subject(
            method: call.method.rawValue, path: path, query: call.query, fields: fields, bodyHash: bodyHash)
        var headers = HTTPFields()
        headers[.authorization] = signature.authorization(for: subject, at: now)
        for field in fields where field.name != "host" {
            if let name = HTTPField.Name(field.name) { headers[name] = field.value }
        }
        let query = call.query.isEmpty ? "" : "?" + S3Signature.canonicalQuery(call.query)
        return TransferRequest(
            method: call.method, url: "\(location.scheme)://\(location.host)\(path)\(query)", headers: headers,
            body: call.body.isEmpty ? .none : .bytes(call.body), timeout: nil, idleTimeout: .seconds(60))
    }
}
