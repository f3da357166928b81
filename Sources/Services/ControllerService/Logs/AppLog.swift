import AccessTokens
import ConcurrencyPrimitives
import CurlTransfer
import FoundationEssentials
import HTTPTypes
import Logging
import Metrics
import PlatformModel
import ServiceHTTP
import ServiceLifecycle

/// Tells the people of an app what the controller did with it, in the app's own log.
///
/// Lines are handed to the logger in the background. At most ``bufferLimit`` wait; further ones, and those the logger
/// does not take, are dropped and counted: an app's log must not hold up its deploy.
final class AppLog: Service {
    enum Level: String, Sendable {
        case info = "INFO"
        case warning = "WARN"
        case error = "ERROR"
    }

    private struct Line: Sendable, Encodable {
        let app: String
        let time: String
        let source: String
        let level: String
        let text: String
    }

    private static let bufferLimit = 1024
    private static let source = "drycc[controller]"

    private let url: String
    private let client: HTTPClient
    private let credentials: ClientCredentialsSource?
    private let logger: Logger
    private let lines = BoundedChannel<Line>(limit: bufferLimit)
    private let dropped = Counter(label: "controller.app_log.dropped")

    /// - Parameters:
    ///   - url: the logger's base URL.
    ///   - credentials: how to get a token with scope `logger:write`; nil when the logger asks for none.
    init(url: String, client: HTTPClient, credentials: ClientCredentialsSource?, logger: Logger) {
        self.url = url
        self.client = client
        self.credentials = credentials
        self.logger = logger
    }

    func write(_ text: String, to app: AppName, level: Level = .info) {
        let line = Line(
            app: app.text, time: Date().formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)),
            source: Self.source, level: level.rawValue, text: text)
        if !lines.trySend(line) { dropped.increment() }
    }

    func run() async throws {
        await withGracefulShutdownHandler {
            do {
                for try await line in lines { await deliver(line) }
            } catch {
                logger.error("The app log stopped", metadata: ["error": "\(String(reflecting: error))"])
            }
        } onGracefulShutdown: {
            self.lines.finish()
        }
    }

    private func deliver(_ line: Line) async {
        do {
            var headers = HTTPFields()
            headers[.contentType] = "application/x-ndjson"
            if let credentials { headers[.authorization] = "Bearer \(try await credentials.token())" }
            var body = Array(try JSONCoding.encoder.encode(line))
            body.append(UInt8(ascii: "\n"))
            _ = try await client.send(
                TransferRequest(
                    method: .post, url: "\(url)/ingest", headers: headers, body: .bytes(body), timeout: .seconds(5))
            ).requireSuccess()
        } catch {
            dropped.increment()
            logger.debug("A line of an app's log was lost", metadata: ["error": "\(String(reflecting: error))"])
        }
    }
}
