import CSystemCalls
import Glibc

/// A process that outlives this one, in a session of its own, whose standard output we read until it closes it.
struct DetachedProcess: ~Copyable {
    /// The system refused to start it.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// `POSIX_SPAWN_SETSID`, which Glibc's module does not show.
    private static let newSession: Int16 = 0x80

    let pid: Int32
    private let output: Int32

    /// - Parameter errorPath: the file its standard error is appended to.
    init(program: String, arguments: [String], environment: [String: String], errorPath: String) throws {
        var ends: [Int32] = [0, 0]
        guard syscalls_pipe_cloexec(&ends, 0) == 0 else { throw Failure(description: "no pipe could be made") }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT | O_APPEND, 0o640)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Self.newSession)
        var argumentPointers = ([program] + arguments).map { strdup($0) } + [nil]
        var environmentPointers = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, program, &actions, &attributes, &argumentPointers, &environmentPointers)
        close(ends[1])
        guard code == 0 else {
            close(ends[0])
            throw Failure(description: "\(program) cannot be started: \(String(cString: strerror(code)))")
        }
        pid = child
        output = ends[0]
    }

    deinit { close(output) }

    /// Reads lines until `body` has enough or the process closes its output.
    /// - Parameter body: returns false when it needs no more.
    func readLines(_ body: (String) throws -> Bool) rethrows {
        var pending: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(output, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            pending += chunk[..<count]
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let line = String(decoding: pending[..<end], as: UTF8.self)
                pending.removeSubrange(...end)
                guard try body(line) else { return }
            }
        }
    }
}
