import AMQPClient
import FoundationEssentials
import Logging
import PlatformModel
import TestSupport
import Testing

/// The real broker, reached directly or through a proxy that fails on demand.
struct TestBroker: Sendable {
    let url: Secret
    let logger: Logger
    let queue: String

    func connect(
        port: UInt16? = nil, limit: Duration = .seconds(15), heartbeat: Int = 10
    ) throws -> AMQPConnection {
        var components = try #require(URLComponents(string: url.reveal()))
        if let port { components.port = Int(port) }
        components.query = "heartbeat=\(heartbeat)"
        return try AMQPConnection(
            url: Secret(try #require(components.string)), name: "test", limit: limit, logger: logger)
    }

    var port: UInt16 {
        get throws { UInt16(try #require(URLComponents(string: url.reveal())?.port)) }
    }
}

/// Runs `body` with a queue name of its own, deleted afterwards.
func withBroker<Value>(
    isolatedTo caller: isolated (any Actor)? = #isolation, _ body: (TestBroker) async throws -> Value
) async throws -> Value {
    let url = Secret(try TestEnvironment.requireAMQP())
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    let broker = TestBroker(url: url, logger: logger, queue: "test." + UUID().uuidString.lowercased())
    let result: Result<Value, any Error>
    do {
        result = .success(try await body(broker))
    } catch {
        Issue.record("\(String(reflecting: error))")
        result = .failure(error)
    }
    try await broker.connect().delete(queue: broker.queue)
    return try result.get()
}

/// The code of the broker error that `body` throws, nil if it returns.
func code(
    isolatedTo caller: isolated (any Actor)? = #isolation, _ body: () async throws -> Void
) async throws -> AMQPError.Code? {
    do {
        try await body()
        return nil
    } catch let error as AMQPError {
        return error.code
    }
}
