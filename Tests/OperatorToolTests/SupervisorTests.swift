import CommandRunner
import CurlTransfer
import FoundationEssentials
import Glibc
import Logging
import ServiceRuntime
import TestSupport
import Testing

@testable import OperatorTool

/// Servers that end, and what becomes of them.
@Suite(.timeLimit(.minutes(2))) struct SupervisorTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func withSupervisor(_ body: (Supervisor, StateDirectory) async throws -> Void) async throws {
        try await withTemporaryDirectory("supervisor") { root in
            let state = StateDirectory(root: root)
            try state.prepare()
            let supervisor = Supervisor(
                state: state, probe: ReadinessProbe(client: try HTTPClient()), logger: Self.logger)
            do {
                try await body(supervisor, state)
            } catch {
                await supervisor.stop(tier: .service)
                throw error
            }
            await supervisor.stop(tier: .service)
        }
    }

    /// A shell program that is ready as soon as `ready` exists.
    private func plan(_ name: String, _ script: String, in state: StateDirectory) -> ProcessPlan {
        ProcessPlan(
            name: name,
            command: Command("/bin/sh", ["-c", script], workingDirectory: state.root, grace: .seconds(2)),
            readiness: .command(Command("/usr/bin/test", ["-e", "\(state.root)/ready"])))
    }

    private func server(_ name: String, in state: StateDirectory) throws -> ServiceState? {
        try PlatformState.read(from: state)?.services.first { $0.name == name }
    }

    @Test func whatFollowsAStartIsDoneAtEachStart() async throws {
        try await withSupervisor { supervisor, state in
            let (calls, continuation) = AsyncStream<Void>.makeStream()
            var plan = plan("steady", "touch ready; exec sleep 1000", in: state)
            plan.afterStart = {
                continuation.yield()
                // A failure is none of the server's.
                throw OperatorError("none")
            }
            try await supervisor.start(plan)
            var iterator = calls.makeAsyncIterator()
            await iterator.next()
            let first = try #require(try server("steady", in: state)?.process)
            first.send(signal: SIGKILL)
            await iterator.next()
            #expect(try server("steady", in: state)?.process?.isAlive == true)
        }
    }

    @Test func aServerThatIsKilledIsStartedAgain() async throws {
        try await withSupervisor { supervisor, state in
            try await supervisor.start(plan("steady", "touch ready; exec sleep 1000", in: state))
            let first = try #require(try server("steady", in: state)?.process)
            first.send(signal: SIGKILL)
            try await eventually("it runs again") {
                let now = try server("steady", in: state)
                return now?.phase == .running && now?.process != first && now?.process?.isAlive == true
            }
            let now = try #require(try server("steady", in: state))
            #expect(now.restarts == 1)
            #expect(now.lastExit == "signal 9" || now.lastExit?.contains("9") == true)
            #expect(try ProcessRecord.read(state.processRecord(of: "steady"))?.process == now.process)
            await supervisor.stop(tier: .service)
            #expect(now.process?.isAlive == false)
            #expect(try ProcessRecord.read(state.processRecord(of: "steady")) == nil)
        }
    }

    /// Each life leaves a line with its time; the waits between them grow.
    @Test func aCrashLoopSlowsDownAndIsShown() async throws {
        try await withSupervisor { supervisor, state in
            let began = ContinuousClock.now
            try await supervisor.start(
                plan("loop", "touch ready; date +%s%N >> lives; sleep 0.2; exit 3", in: state))
            try await eventually("the fourth life") { try lives(in: state).count >= 4 }
            let times = try lives(in: state)
            // 200, 400 and 800 ms less a part for jitter, and the lives themselves.
            #expect(times[3] - times[2] > times[1] - times[0])
            let seconds = Double((ContinuousClock.now - began).milliseconds) / 1000
            #expect(Double(times.count) <= 4 + seconds)
            let shown = try #require(try server("loop", in: state))
            #expect(shown.restarts >= 3)
            #expect(shown.lastExit == "exit status 3")
        }
    }

    private func lives(in state: StateDirectory) throws -> [Int] {
        (try StateFile.readText("\(state.root)/lives") ?? "").split(separator: "\n").compactMap { Int($0) }
    }

    @Test func whatAKilledDatabaseLeavesIsGoneBeforeTheNextOneStarts() async throws {
        try await withSupervisor { supervisor, state in
            var database = plan("database", "touch ready; sleep 1000 & echo $! >> children; wait", in: state)
            database.tier = .infrastructure
            try await supervisor.start(database)
            let first = try #require(try server("database", in: state)?.process)
            try await eventually("its child runs") { try StateFile.readText("\(state.root)/children") != nil }
            let number = try StateFile.readText("\(state.root)/children")?.split(separator: "\n").first
            let child = try #require(number.flatMap { Int32($0) }.flatMap { ProcessIdentity(pid: $0) })
            first.send(signal: SIGKILL)
            try await eventually("it runs again") { try server("database", in: state)?.phase == .running }
            try await eventually("the child is gone") { !child.isAlive }
            await supervisor.stop(tier: .infrastructure)
        }
    }

    @Test func aServerThatNeverStartsIsGivenUpWithItsLastWords() async throws {
        try await withSupervisor { supervisor, state in
            let error = await #expect(throws: OperatorError.self) {
                try await supervisor.start(plan("broken", "echo the disk is full; exit 4", in: state))
            }
            #expect(error?.description.contains("broken ended while starting (exit status 4)") == true)
            #expect(error?.evidence.contains("the disk is full") == true)
            #expect(error?.next == "workflow logs broken")
        }
    }

    @Test func aServerThatIsNeverReadyIsGivenUp() async throws {
        try await withSupervisor { supervisor, state in
            var slow = plan("slow", "exec sleep 1000", in: state)
            slow.startLimit = .milliseconds(300)
            let error = await #expect(throws: OperatorError.self) { try await supervisor.start(slow) }
            #expect(error?.description.contains("was not ready within") == true)
        }
    }

    @Test func whatAKilledSupervisorLeftIsFoundAndStopped() async throws {
        try await withTemporaryDirectory("orphans") { root in
            let state = StateDirectory(root: root)
            try state.prepare()
            // A script that became its server, as the broker's does, is known by its mark.
            let orphan = try Self.detached("exec sleep 1000", state, [Leftovers.mark: root])
            let stranger = try Self.detached("exec sleep 1000", state)
            let plan = plan("lost", "exec sleep 1000", in: state)
            try ProcessRecord(plan: plan, process: orphan).write(state.processRecord(of: "lost"))
            let reused = ProcessRecord(plan: plan, process: try Self.renamed(stranger))
            try reused.write(state.processRecord(of: "reused"))
            let orphans = Orphans(state: state, logger: Self.logger)
            #expect(try await orphans.stopAll() == ["lost"])
            #expect(!orphan.isAlive)
            #expect(stranger.isAlive)
            #expect(try ProcessRecord.read(state.processRecord(of: "lost")) == nil)
            try await stranger.stop(patience: .seconds(2))
        }
    }

    /// Processes nobody has a record of: by their environment, by their arguments, and none of a person's own.
    @Test func whatNoRecordTellsOfIsFoundByItsMark() async throws {
        try await withTemporaryDirectory("leftovers") { root in
            let state = StateDirectory(root: root)
            try state.prepare()
            let marked = try Self.detached("exec sleep 1000", state, [Leftovers.mark: root])
            let child = try Self.detached("sleep 1000 & wait", state, [Leftovers.mark: root])
            let other = try Self.detached("exec sleep 1000", state, [Leftovers.mark: "\(root)-other"])
            try StateFile.write("#!/bin/sh\nexec sleep 1000\n", to: "\(root)/editor", mode: 0o755)
            let person = try Self.detached("exec /bin/sh \(root)/editor", state)
            let found = Leftovers(state: state).find()
            #expect(found.contains(marked) && found.contains(child))
            #expect(!found.contains(other) && !found.contains(person))
            _ = try await Leftovers(state: state).stopAll(patience: .seconds(2))
            #expect(!marked.isAlive && !child.isAlive)
            #expect(other.isAlive && person.isAlive)
            #expect(Leftovers(state: state).find().isEmpty)
            for process in [other, person] { try await process.stop(patience: .seconds(2)) }
        }
    }

    /// Looking for the supervisor must not keep another one from starting.
    @Test func lookingForTheSupervisorTakesNoLock() async throws {
        try await withTemporaryDirectory("lock") { root in
            let state = StateDirectory(root: root)
            try state.prepare()
            #expect(try Running.supervisor(of: state) == nil)
            try Running.declare(in: state)
            // This process is no supervisor, whatever the record says.
            #expect(try Running.supervisor(of: state) == nil)
            let lock = try ProcessLock(path: state.lock)
            #expect(try Running.supervisor(of: state) == nil)
            withExtendedLifetime(lock) {}
        }
    }

    private static func detached(
        _ script: String, _ state: StateDirectory, _ environment: [String: String] = [:]
    ) throws -> ProcessIdentity {
        let process = try DetachedProcess(
            program: "/bin/sh", arguments: ["-c", script],
            environment: environment.merging(["PATH": Command.minimalPath]) { own, _ in own },
            errorPath: "\(state.root)/detached.log")
        return try #require(ProcessIdentity(pid: process.pid))
    }

    /// The same number with another start time.
    private static func renamed(_ identity: ProcessIdentity) throws -> ProcessIdentity {
        let text = #"{"pid":\#(identity.pid),"started":\#(identity.started + 1)}"#
        return try JSONDecoder().decode(ProcessIdentity.self, from: Data(text.utf8))
    }
}
