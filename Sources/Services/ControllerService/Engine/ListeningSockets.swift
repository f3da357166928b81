import FoundationEssentials

/// The TCP sockets on which the processes of a container listen, read from the kernel: tells a person why nothing
/// answers on the expected port.
struct ListeningSockets: Sendable {
    /// Ports open to other machines, and ports open to the container itself only.
    private(set) var open: Set<Int> = []
    private(set) var loopbackOnly: Set<Int> = []

    init(processID: Int) {
        guard processID > 0 else { return }
        for table in ["tcp", "tcp6"] {
            do {
                add(try String(contentsOfFile: "/proc/\(processID)/net/\(table)", encoding: .utf8))
            } catch {
                // The process is gone or the kernel has no such table; then there is no hint.
            }
        }
    }

    init(table: String) { add(table) }

    private mutating func add(_ table: String) {
        for line in table.split(separator: "\n").dropFirst() {
            let columns = line.split(separator: " ")
            guard columns.count > 3, columns[3] == "0A" else { continue }
            let local = columns[1].split(separator: ":")
            guard local.count == 2, let port = Int(local[1], radix: 16) else { continue }
            let isLoopback = local[0] == "0100007F" || local[0] == "00000000000000000000000001000000"
            if isLoopback { loopbackOnly.insert(port) } else { open.insert(port) }
        }
        loopbackOnly.subtract(open)
    }

    /// What to change so that requests arrive; nil when the sockets do not explain it.
    func hint(expecting port: Int?) -> String? {
        guard let port, !open.contains(port) else { return nil }
        if loopbackOnly.contains(port) {
            return "It listens on 127.0.0.1:\(port) only; let it listen on 0.0.0.0."
        }
        let others = open.union(loopbackOnly).sorted().map { "\($0)" }.joined(separator: ", ")
        if others.isEmpty { return "It listens on no port at all; let it listen on 0.0.0.0 and the port in $PORT." }
        return "It listens on port \(others) instead; let it use the port in $PORT, or set PORT."
    }
}
