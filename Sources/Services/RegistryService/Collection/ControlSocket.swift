import ConcurrencyPrimitives
import CurlTransfer
import FoundationEssentials
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// Takes the operator's commands from a socket in the storage folder, which only the registry's user can open.
///
/// A folder is used by one process; a command for a folder that is being served is therefore carried out by its server.
struct ControlSocket: Service {
    /// What fits into the address of a local socket.
    private static let pathLimit = 100

    private let application: Application<RouterResponder<RegistryContext>>

    /// Nil when the path is too long for a socket; commands are refused then while the registry runs.
    init?(path: String, collector: Collector) {
        guard path.utf8.count <= Self.pathLimit else { return nil }
        let router = Router(context: RegistryContext.self)
        router.post("/collect") { request, _ in
            let items = Mutex<[String]>([])
            let isDryRun = request.queryValue("dry-run") == "true"
            let report = try await collector.collect(isDryRun: isDryRun) { item in
                items.withLock { $0.append("\(item)") }
            }
            let lines = items.withLock { $0 } + [report.summary]
            return Response(
                status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
                body: .init(byteBuffer: ByteBuffer(string: lines.joined(separator: "\n") + "\n")))
        }
        application = Application(
            responder: router.buildResponder(), configuration: .init(address: .unixDomainSocket(path: path)),
            logger: collector.logger)
    }

    func run() async throws { try await application.run() }

    /// Asks the process that serves a folder for a collection and answers what it says.
    static func collect(path: String, isDryRun: Bool) async throws -> String {
        let response = try await HTTPClient().send(
            TransferRequest(
                method: .post, url: "http://registry/collect?dry-run=\(isDryRun)", unixSocket: path,
                timeout: .seconds(86400)), limit: 256 << 20)
        let text = String(decoding: response.body, as: UTF8.self)
        guard response.status == 200 else { throw CollectionFailed(reason: text) }
        return text
    }

    struct CollectionFailed: Error, CustomStringConvertible {
        let reason: String
        var description: String { "the collection failed; see the registry's log: \(reason)" }
    }
}
