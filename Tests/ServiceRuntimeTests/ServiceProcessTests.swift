import Glibc
import ServiceRuntime
import Testing

@Suite struct ServiceProcessTests {
    /// One of a hundred commands that use the database ended by a signal: a library cleaned up at the exit while a
    /// thread of the pool still used it.
    @Test func aCommandEndsWithoutTheCleanUpOfLibraries() async {
        await #expect(processExitsWith: .success) {
            atexit { abort() }
            await ServiceProcess.command(name: "test") { _, _ in }
        }
    }
}
