import FoundationEssentials
import Logging
import PlatformModel
import Postgres
import TestSupport
import Testing

/// A database of its own on the real server, gone afterwards.
struct TestDatabase: Sendable {
    let url: Secret
    let logger: Logger

    /// A pool on this database; `port` replaces the server's, for proxies.
    func pool(
        size: Int = 4, port: UInt16? = nil, acquireLimit: Duration = .seconds(10),
        statementLimit: Duration = .seconds(20)
    ) throws -> PostgresPool {
        PostgresPool(
            configuration: .init(
                url: try port.map { try self.url(port: $0) } ?? url, size: size, acquireLimit: acquireLimit,
                statementLimit: statementLimit),
            logger: logger)
    }

    func url(port: UInt16) throws -> Secret {
        var components = try #require(URLComponents(string: url.reveal()))
        components.port = Int(port)
        return Secret(try #require(components.string))
    }

    var serverPort: UInt16 {
        get throws { UInt16(try #require(URLComponents(string: url.reveal())?.port)) }
    }
}

func withDatabase<Value>(
    isolatedTo caller: isolated (any Actor)? = #isolation, _ body: (TestDatabase) async throws -> Value
) async throws -> Value {
    let server = try TestEnvironment.requirePostgres()
    var logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    logger.logLevel = .critical
    let administrator = PostgresPool(configuration: .init(url: Secret(server), size: 1), logger: logger)
    let name = "test_" + UUID().uuidString.lowercased().prefix(13)
    try await administrator.execute("CREATE DATABASE \(identifier: name)")
    var components = try #require(URLComponents(string: server))
    components.path = "/" + name
    let database = TestDatabase(url: Secret(try #require(components.string)), logger: logger)
    let result: Result<Value, any Error>
    do {
        result = .success(try await body(database))
    } catch {
        // The error's own description says nothing on purpose.
        Issue.record("\(String(reflecting: error))")
        result = .failure(error)
    }
    try await administrator.execute("DROP DATABASE \(identifier: name) WITH (FORCE)")
    return try result.get()
}

/// The code of the database error that `body` throws, nil if it returns.
func code(
    isolatedTo caller: isolated (any Actor)? = #isolation, _ body: () async throws -> Void
) async throws -> PostgresError.Code? {
    do {
        try await body()
        return nil
    } catch let error as PostgresError {
        return error.code
    }
}
