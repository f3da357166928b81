import Hummingbird

/// Writes the backlog of an app and then its new lines until the reader goes, time is up or the log is removed.
struct LogStream: Sendable {
    let store: LogStore
    let app: AppKey
    let query: LogQuery
    let heartbeat: Duration
    let renderer: LogRenderer

    func write(to writer: inout any ResponseBodyWriter) async throws {
        let (backlog, id, follower) = try await store.follow(app, query)
        do {
            try await write(backlog, follower, to: &writer)
        } catch {
            await store.unfollow(app, id)
            throw error
        }
        await store.unfollow(app, id)
        try await writer.finish(nil)
    }

    private func write(_ backlog: [LogLine], _ follower: Follower, to writer: inout any ResponseBodyWriter) async throws
    {
        // An empty first part sends the head, so that the reader knows it is connected.
        try await writer.write(try renderer.render(backlog))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await Task.sleep(for: query.timeout)
                follower.finish()
            }
            group.addTask {
                while true {
                    try await Task.sleep(for: heartbeat)
                    follower.beat()
                }
            }
            while let event = await follower.next() {
                try await writer.write(try renderer.render(event))
            }
            group.cancelAll()
        }
    }
}
