import FoundationEssentials

/// The servers that `scripts/test-servers` started, named by environment variables.
///
/// Integration suites are declared `.enabled(if: TestEnvironment.hasServers)`; `make test` always provides the servers
/// and sets `WORKFLOW_TEST_REQUIRED`, under which a missing server is a failure instead of a skip.
package enum TestEnvironment {
    private static func variable(_ name: String) -> String? {
        let value = ProcessInfo.processInfo.environment[name]
        return value?.isEmpty == false ? value : nil
    }

    /// libpq URI of a server where the test user may create databases.
    package static var postgresURL: String? { variable("WORKFLOW_TEST_POSTGRES_URL") }
    package static var amqpURL: String? { variable("WORKFLOW_TEST_AMQP_URL") }
    /// The test bucket of an S3 server as a `STORAGE_URL`.
    package static var s3URL: String? {
        guard let endpoint = variable("WORKFLOW_TEST_S3_URL"), let bucket = variable("WORKFLOW_TEST_S3_BUCKET") else {
            return nil
        }
        return "s3://\(bucket)?endpoint=\(endpoint)&region=us-east-1"
    }
    package static var s3AccessKey: String { variable("WORKFLOW_TEST_S3_ACCESS_KEY") ?? "" }
    package static var s3SecretKey: String { variable("WORKFLOW_TEST_S3_SECRET_KEY") ?? "" }

    /// Whether suites may not be left out.
    package static var isRequired: Bool { variable("WORKFLOW_TEST_REQUIRED") != nil }

    /// Whether PostgreSQL and RabbitMQ are there, or must be.
    package static var hasServers: Bool { isRequired || postgresURL != nil && amqpURL != nil }

    /// Whether an S3 server is there, or must be.
    package static var hasS3: Bool { isRequired || s3URL != nil }

    /// The value of a variable the suite cannot do without.
    ///
    /// - Throws: ``MissingServer`` naming the variable.
    package static func required(_ value: String?, _ name: String) throws -> String {
        guard let value else { throw MissingServer(variable: name) }
        return value
    }

    package static func requirePostgres() throws -> String {
        try required(postgresURL, "WORKFLOW_TEST_POSTGRES_URL")
    }

    package static func requireAMQP() throws -> String { try required(amqpURL, "WORKFLOW_TEST_AMQP_URL") }
}

/// A suite ran without the server it needs.
package struct MissingServer: Error, CustomStringConvertible {
    package let variable: String

    package init(variable: String) { self.variable = variable }

    package var description: String { "\(variable) is not set: run the tests with `make test`" }
}
