import FoundationEssentials
import Glibc
import ServiceHTTP
import Synchronization

/// Writes events to standard output, one line each, in whole lines.
final class EventWriter: Sendable {
    /// Nobody reads the events any more.
    struct Closed: Error {}

    private let descriptor: Int32
    private let lock = Mutex(())

    init(descriptor: Int32 = STDOUT_FILENO) { self.descriptor = descriptor }

    /// - Throws: ``Closed`` when the reader has gone.
    func write(_ event: BuildEvent) throws { try send(event) }

    /// - Throws: ``Closed`` when the reader has gone.
    func write(_ outcome: CachePrune.Outcome) throws { try send(outcome) }

    private func send(_ event: some Encodable) throws {
        var bytes = Array(try JSONCoding.encoder.encode(event))
        bytes.append(UInt8(ascii: "\n"))
        try lock.withLock { _ in
            var rest = bytes[...]
            while !rest.isEmpty {
                let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if written > 0 {
                    rest = rest.dropFirst(written)
                } else if written < 0 && errno != EINTR {
                    throw Closed()
                }
            }
        }
    }
}
