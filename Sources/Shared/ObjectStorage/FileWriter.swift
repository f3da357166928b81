import Synchronization

/// Shares an open file between the blocking threads that write to it in turn.
final class FileWriter: Sendable {
    private let file: Mutex<OpenFile>

    init(_ file: consuming sending OpenFile) {
        self.file = Mutex(file)
    }

    func write(_ bytes: [UInt8]) throws {
        try file.withLock { try $0.write(bytes) }
    }

    func synchronize() throws {
        try file.withLock { try $0.synchronize() }
    }
}
