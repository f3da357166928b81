import CSystemCalls
import Glibc

/// One particular process: its number together with the time it started, because numbers are used again.
package struct ProcessIdentity: Codable, Hashable, Sendable {
    package let pid: Int32
    /// Start time in clock ticks since the machine booted.
    package let started: UInt64

    /// The process that has this number now; nil when there is none or it has ended and waits for its parent.
    package init?(pid: Int32) {
        guard let status = ProcessStatus(pid: pid), !status.hasEnded else { return nil }
        self.pid = pid
        started = status.started
    }

    /// The process that listens on a unix socket; nil when there is none or it is in another process namespace.
    package init?(listeningOn socket: String) {
        self.init(pid: syscalls_listening_process(socket))
    }

    /// This process.
    package static var current: ProcessIdentity? { ProcessIdentity(pid: getpid()) }

    /// Whether exactly this process still runs.
    package var isAlive: Bool { ProcessIdentity(pid: pid) == self }

    /// The program and its arguments, empty for a process that is gone.
    package var arguments: [String] {
        guard isAlive, let bytes = ProcessStatus.read("/proc/\(pid)/cmdline") else { return [] }
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The environment the program was started with, `KEY=value` each; empty for a process that is gone, belongs to
    /// another user or has written its title over it.
    package var environment: [String] {
        guard isAlive, let bytes = ProcessStatus.read("/proc/\(pid)/environ") else { return [] }
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The process that waits for this one's end, 0 when there is none.
    package var parent: Int32 { ProcessStatus(pid: pid)?.parent ?? 0 }

    /// Whether it numbers processes as this one does (pid_namespaces(7)).
    package var sharesProcessNumbers: Bool {
        guard isAlive, let own = ProcessStatus.target(of: "/proc/self/ns/pid") else { return false }
        return ProcessStatus.target(of: "/proc/\(pid)/ns/pid") == own
    }

    /// The TCP ports it listens on, as `/proc/<pid>/net/tcp` and its file descriptors tell (proc(5)); empty for a
    /// process that is gone or another user's.
    package var listeningPorts: Set<Int> {
        guard isAlive else { return [] }
        let sockets = Set(
            ProcessStatus.names(in: "/proc/\(pid)/fd").compactMap { ProcessStatus.socket(at: "/proc/\(pid)/fd/\($0)") })
        guard !sockets.isEmpty else { return [] }
        return ["tcp", "tcp6"].reduce(into: []) { ports, table in
            let lines = String(decoding: ProcessStatus.read("/proc/\(pid)/net/\(table)") ?? [], as: UTF8.self)
            for line in lines.split(separator: "\n").dropFirst() {
                // sl, local address as hex:hex, remote address, state (0A listens), …, the tenth is the inode
                let fields = line.split(separator: " ")
                guard fields.count > 9, fields[3] == "0A", let socket = UInt64(fields[9]), sockets.contains(socket),
                    let port = fields[1].split(separator: ":").last.flatMap({ Int($0, radix: 16) })
                else { continue }
                ports.insert(port)
            }
        }
    }

    /// Sends a signal if exactly this process still runs.
    /// - Returns: false when it has gone or may not be signalled.
    @discardableResult
    package func send(signal: Int32) -> Bool { isAlive && kill(pid, signal) == 0 }

    /// Sends a signal to the process group this process leads.
    @discardableResult
    package func sendToGroup(signal: Int32) -> Bool { isAlive && kill(-pid, signal) == 0 }

    /// Every process that belongs to the session `leader` began, whether or not the leader still lives.
    package static func members(ofSession leader: Int32) -> [ProcessIdentity] {
        all().filter { ProcessStatus(pid: $0.pid)?.session == leader }
    }

    /// Every process on the machine this user can see.
    package static func all() -> [ProcessIdentity] {
        ProcessStatus.names(in: "/proc").compactMap { Int32($0).flatMap(ProcessIdentity.init(pid:)) }
    }
}

/// What `/proc/<pid>/stat` tells of a process.
struct ProcessStatus {
    let hasEnded: Bool
    let parent: Int32
    let session: Int32
    let started: UInt64

    init?(pid: Int32) {
        guard pid > 0, let bytes = Self.read("/proc/\(pid)/stat") else { return nil }
        // The name stands in brackets and may hold anything; the fields that count follow its last bracket.
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, let parent = Int32(fields[1]), let session = Int32(fields[3]),
            let started = UInt64(fields[19])
        else { return nil }
        hasEnded = fields[0] == "Z" || fields[0] == "X"
        self.parent = parent
        self.session = session
        self.started = started
    }

    /// The entries of a directory; empty when it cannot be read.
    static func names(in path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            names.append(
                withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                    pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                })
        }
        return names
    }

    /// What a link of `/proc` names, at most 64 bytes of it; nil when it cannot be read.
    static func target(of link: String) -> String? {
        var text = [UInt8](repeating: 0, count: 64)
        let count = readlink(link, &text, text.count)
        return count > 0 ? String(decoding: text[..<count], as: UTF8.self) : nil
    }

    /// The inode of the socket a link of `/proc/<pid>/fd` names; nil when it names anything else.
    static func socket(at link: String) -> UInt64? {
        guard let target = target(of: link), target.hasPrefix("socket:["), target.hasSuffix("]") else { return nil }
        return UInt64(target.dropFirst(8).dropLast())
    }

    static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count >= 0 else { return nil }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
    }
}
