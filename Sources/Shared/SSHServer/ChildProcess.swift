import CSystemCalls
import Glibc

/// A running child with pipes on its standard streams, in a process group of its own.
///
/// Owned by one connection's thread. Ending it is explicit: ``signalGroup(_:)``, then ``reap()`` once
/// ``exitDescriptor`` polls
/// readable.
final class ChildProcess {
    let pid: pid_t
    var input: Descriptor?
    var output: Descriptor?
    var error: Descriptor?
    /// Polls readable once the child has ended.
    let exitDescriptor: Descriptor

    init(_ request: SSHChildProcess) throws(SSHServerError) {
        let input = try PipeEnds(capacity: 1 << 20)
        let output = try PipeEnds(capacity: 1 << 20)
        let error = try PipeEnds(capacity: 0)
        pid = try Self.spawn(
            request, input: input.reading.number, output: output.writing.number, error: error.writing.number)
        exitDescriptor = Descriptor(syscalls_pidfd_open(pid))
        // Without it the end of the child could not be seen; the caller has no child then.
        precondition(exitDescriptor.number >= 0, "pidfd_open failed: \(systemErrorText(errno))")
        input.writing.setNonblocking()
        output.reading.setNonblocking()
        error.reading.setNonblocking()
        self.input = input.writing
        self.output = output.reading
        self.error = error.reading
    }

    private static func spawn(
        _ request: SSHChildProcess, input: Int32, output: Int32, error: Int32
    ) throws(SSHServerError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, input, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, error, 2)
        unsafe syscalls_spawn_in_directory(&actions, request.workingDirectory)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        unsafe sigfillset(&defaults)
        var mask = sigset_t()
        unsafe sigemptyset(&mask)
        unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
        unsafe posix_spawnattr_setsigmask(&attributes, &mask)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
        var pid: pid_t = 0
        let environment = request.environment.map { "\($0.key)=\($0.value)" }
        let code = unsafe withCStrings([request.executable] + request.arguments) { arguments in
            unsafe withCStrings(environment) { variables in
                unsafe posix_spawn(&pid, request.executable, &actions, &attributes, arguments, variables)
            }
        }
        guard code == 0 else {
            throw SSHServerError(.child, "cannot start \(request.executable): \(systemErrorText(code))")
        }
        return pid
    }

    /// Sends `signal` to the child and everything it has started.
    func signalGroup(_ signal: Int32) { kill(-pid, signal) }

    /// Collects the ended child and answers its exit status.
    func reap() -> Int {
        var status: Int32 = 0
        while unsafe waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        let signal = status & 0x7f
        return signal == 0 ? Int((status >> 8) & 0xff) : 128 + Int(signal)
    }
}

/// Lends `strings` as a null-terminated array of C strings.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    let pointers = UnsafeMutableBufferPointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: strings.count + 1)
    for (index, string) in strings.enumerated() { unsafe pointers.initializeElement(at: index, to: strdup(string)) }
    unsafe pointers.initializeElement(at: strings.count, to: nil)
    defer {
        for index in pointers.indices { unsafe free(pointers[index]) }
        unsafe pointers.deallocate()
    }
    guard let base = pointers.baseAddress else { preconditionFailure("an allocated buffer has an address") }
    return unsafe body(base)
}
