import Hummingbird
import Logging
import NIOCore
import PlatformModel
import Postgres
import ServiceHTTP
import ServiceLifecycle
import Testing
import WebSocketTestSupport

@testable import ControllerService

/// The API on a port, for what the router alone does not do.
struct LiveAPI: Sendable {
    let api: API
    let port: Int

    /// Asks for a websocket as the command line does, with `token`, and returns the head of the answer.
    func open(_ path: String, as token: String?, _ client: inout RawWebSocketClient) async throws -> String {
        let credentials = token.map { ["Authorization: token \($0)"] } ?? []
        return try await client.handshake(
            path, headers: ["User-Agent: Drycc Client v1.0", "Origin: http://localhost:\(port)"] + credentials)
    }

    /// A pod of `myapp` that the worker has seen.
    func observe(_ name: String) async throws {
        let app = try #require(try await AppStore().find(named: try AppName("myapp"), in: api.database))
        let pod = ObservedPod(
            name: name, app: app.uuid, ptype: "web", release: 2, state: "up", container: "myapp-web", image: "a/b")
        try await ObservedPodStore().put(pod, in: api.database)
    }
}

func withLiveAPI(
    pods: (any PodLogSource & PodCommandRunner)?, _ body: @Sendable @escaping (LiveAPI) async throws -> Void
) async throws {
    try await withAPI(pods: pods) { api in
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let server = api.controller.makeServer(
            listen: ListenAddress(host: "127.0.0.1", port: 0), metrics: nil, drain: nil,
            onRunning: { port.yield($0) })
        let group = ServiceGroup(
            services: [server], logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            var iterator = ports.makeAsyncIterator()
            let number = try #require(await iterator.next())
            let result: Result<Void, any Error>
            do { result = .success(try await body(LiveAPI(api: api, port: number))) } catch { result = .failure(error) }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
            try result.get()
        }
    }
}
