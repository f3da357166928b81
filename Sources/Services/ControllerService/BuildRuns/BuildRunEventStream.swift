import FoundationEssentials
import Hummingbird
import NIOCore
import PlatformModel
import Postgres
import ServiceHTTP

/// The lines of one run as newline-delimited JSON: those there are, then those to come, until the run has ended.
///
/// Woken by notifications, and by a clock every ten seconds, when it also writes a heartbeat.
/// It ends with the run, with the client's connection, or when the row is gone with its app.
struct BuildRunEventStream: Sendable {
    private static let batch = 500
    private static let heartbeat = Duration.seconds(10)

    let database: PostgresPool
    let notifications: PostgresNotifications
    private let store = BuildRunEventStore()
    private let runs = BuildRunStore()

    init(database: PostgresPool, notifications: PostgresNotifications) {
        self.database = database
        self.notifications = notifications
    }

    func response(run: UUID, from sequence: Int) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/x-ndjson", .cacheControl: "no-store"],
            body: .init { writer in
                try await write(run: run, from: sequence, to: &writer)
                try await writer.finish(nil)
            })
    }

    private func write(run: UUID, from start: Int, to writer: inout any ResponseBodyWriter) async throws {
        let channel = BuildRunEventStore.channel
        let wakeUps = WakeUps.merge(
            notifications.listen(channel), matching: run.uuidString.lowercased(), every: Self.heartbeat)
        var next = start
        for await wakeUp in wakeUps {
            // Read before the lines: a run that had ended by then has written its last line already.
            let state = try await runs.find(run, in: database)?.state
            var wrote = false
            while true {
                let events = try await store.events(of: run, from: next, limit: Self.batch, in: database)
                guard let last = events.last else { break }
                try await writer.write(ByteBuffer(bytes: try Self.lines(events)))
                next = last.sequence + 1
                wrote = true
            }
            guard let state, !state.isTerminal else { return }
            if wakeUp == .clock, !wrote { try await writer.write(ByteBuffer(string: "{\"heartbeat\":true}\n")) }
        }
    }

    private static func lines(_ events: [(sequence: Int, event: BuildRunEvent)]) throws -> [UInt8] {
        var bytes: [UInt8] = []
        for (sequence, event) in events {
            bytes += try JSONCoding.encoder.encode(wire(sequence, event))
            bytes.append(UInt8(ascii: "\n"))
        }
        return bytes
    }

    static func wire(_ sequence: Int, _ event: BuildRunEvent) -> JSONValue {
        var members: [String: JSONValue] = [
            "seq": .integer(sequence), "kind": .string(event.kind.rawValue), "text": .string(event.text),
        ]
        if let phase = event.phase { members["phase"] = .string(phase) }
        if let seconds = event.seconds { members["seconds"] = .number((seconds * 1000).rounded() / 1000) }
        if let state = event.state { members["state"] = .string(state.rawValue) }
        if let exit = event.exit { members["exit"] = .integer(exit) }
        return .object(members)
    }
}

/// A reason to look at the database again.
enum WakeUp: Sendable, Equatable {
    case notified
    case clock
}

/// Joins notifications with a clock, so that a lost notification delays a reader but never stops it.
enum WakeUps {
    /// The first element comes at once. At most one wake-up waits: readers read the whole state each time.
    ///
    /// - Parameter payload: only notifications with this payload count; nil takes all.
    static func merge(
        _ notifications: AsyncStream<PostgresNotification>, matching payload: String? = nil, every interval: Duration
    ) -> AsyncStream<WakeUp> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            continuation.yield(.notified)
            // Ends with the stream: its termination cancels the task.
            let task = Task {
                await withTaskGroup(of: Void.self) { group in
                    group.addTask {
                        for await notification in notifications {
                            guard
                                payload == nil || notification == .resync
                                    || notification == payload.map({ .message(payload: $0) })
                            else { continue }
                            continuation.yield(.notified)
                        }
                    }
                    group.addTask {
                        do {
                            while true {
                                try await Task.sleep(for: interval)
                                continuation.yield(.clock)
                            }
                        } catch {
                            // Cancelled with the reader.
                            return
                        }
                    }
                }
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}
