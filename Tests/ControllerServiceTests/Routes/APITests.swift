import TestSupport
import Testing

/// Every exchange with the whole API. One after the other, because each has a database of its own and the server's
/// connections are few.
@Suite(.serialized, .enabled(if: TestEnvironment.hasServers), .timeLimit(.minutes(2)))
struct APITests {}
