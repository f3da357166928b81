import Logging
import SSHServer
import ServiceLifecycle

/// The SSH server as a part of the process.
///
/// At shutdown no further push is taken; those under way may end within the drain time, the rest are told that their
/// build
/// goes on without them.
struct SSHGate: Service {
    let server: SSHServer
    let followUp: RunFollowUp
    let drainTimeout: Duration
    let logger: Logger

    func run() async throws {
        server.start()
        logger.notice("Serving git over SSH", metadata: ["port": "\(server.port)"])
        try await gracefulShutdown()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                // Cancelled below when the last push has ended earlier.
                do { try await Task.sleep(for: drainTimeout) } catch { return }
                followUp.close()
            }
            await server.stop(within: drainTimeout + .seconds(3))
            group.cancelAll()
        }
    }
}
