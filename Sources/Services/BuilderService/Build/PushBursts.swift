import PlatformModel
import Synchronization

/// Keeps a burst of pushes from beginning a build for each: where a newer push has just taken over from a build, the
/// next
/// build waits a moment for the burst to end.
///
/// The first push of an app is built at once, and so is any that follows in peace.
final class PushBursts: Sendable {
    /// How long after a take-over the app counts as in a burst.
    private static let memory: Duration = .seconds(10)
    /// How long no newer push may come before a build begins.
    private static let pause: Duration = .seconds(2)

    private let superseded = Mutex<[AppName: ContinuousClock.Instant]>([:])

    /// Runs a part of a build and notes when a newer push took over, before any other build of the app can begin.
    func noting<Value: Sendable>(
        _ app: AppName, _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        do {
            return try await body()
        } catch let error as FencedOff {
            note(app)
            throw error
        }
    }

    private func note(_ app: AppName) {
        let now = ContinuousClock.now
        superseded.withLock { apps in
            apps = apps.filter { now - $0.value < Self.memory }
            apps[app] = now
        }
    }

    /// Waits where the app is in a burst. The waiting build is cancelled from outside when a newer push comes.
    func settle(_ app: AppName) async throws {
        let last = superseded.withLock { $0[app] }
        guard let last, ContinuousClock.now - last < Self.memory else { return }
        try await Task.sleep(for: Self.pause)
    }
}
