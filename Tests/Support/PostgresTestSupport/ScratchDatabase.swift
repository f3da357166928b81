import FoundationEssentials
package import Logging
package import PlatformModel
package import Postgres
import TestSupport

/// A database of its own on the real server.
package struct ScratchDatabase: Sendable {
    package let url: Secret
    package let logger: Logger

    package func pool(size: Int = 4) -> PostgresPool {
        PostgresPool(configuration: .init(url: url, size: size), logger: logger)
    }
}

/// Runs `body` with a new database that is dropped afterwards, whatever happens.
package func withScratchDatabase<Value: Sendable>(
    isolatedTo caller: isolated (any Actor)? = #isolation, _ body: (ScratchDatabase) async throws -> Value
) async throws -> Value {
    let server = try TestEnvironment.requirePostgres()
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    let administrator = PostgresPool(configuration: .init(url: Secret(server), size: 1), logger: logger)
    let name = "scratch_" + UUID().uuidString.lowercased().prefix(13)
    try await administrator.execute("CREATE DATABASE \(identifier: name)")
    guard var components = URLComponents(string: server) else {
        throw MissingServer(variable: "WORKFLOW_TEST_POSTGRES_URL (as a valid URL)")
    }
    components.path = "/" + name
    let result: Result<Value, any Error>
    do {
        result = .success(
            try await body(ScratchDatabase(url: Secret(components.string ?? server), logger: logger)))
    } catch {
        result = .failure(error)
    }
    try await administrator.execute("DROP DATABASE \(identifier: name) WITH (FORCE)")
    administrator.close()
    return try result.get()
}
