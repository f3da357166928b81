import FoundationEssentials
package import Logging
import NIOCore
import ServiceRuntime
import SystemPackage

/// An append-only record of what the store was told, in numbered files of one directory.
///
/// Written before the store answers, without waiting for the disk: it survives the end of the process in any way,
/// and of the machine but for the last moments. When it has grown far beyond what the store holds,
/// it is replaced by a snapshot. Used by one store alone; a lock on the directory keeps a second process out.
package final class Spool {
    private static let headerSize = 12

    private let directory: FilePath
    private let logger: Logger
    private let compactionFloor: Int
    private let lock: ProcessLock
    private var number = 0
    private var file: SystemPackage.FileDescriptor?
    /// The size of all files.
    private(set) var byteCount = 0

    /// - Parameter compactionFloor: The spool is never compacted below this size, in bytes.
    package init(directory: String, compactionFloor: Int = 64 << 20, logger: Logger) throws {
        self.directory = FilePath(directory)
        self.logger = logger
        self.compactionFloor = compactionFloor
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        lock = try ProcessLock(path: directory + "/lock")
    }

    deinit {
        // Nothing is buffered here, so a failing close loses nothing.
        try? file?.close()
    }

    // MARK: - Reading

    /// Gives every entry in the order it was written, and makes the spool ready to be written.
    ///
    /// A file that ends in the middle of an entry was cut by the end of the machine; what is before is used.
    package func replay(_ body: (SpoolEntry) -> Void) throws {
        let numbers = try existing()
        for number in numbers { try replay(number, body) }
        self.number = numbers.last ?? 0
        try openNext()
    }

    private func existing() throws -> [Int] {
        try FileManager.default.contentsOfDirectory(atPath: directory.string).compactMap { name in
            guard name.hasPrefix("spool-"), name.hasSuffix(".log") else { return nil }
            return Int(name.dropFirst(6).dropLast(4))
        }.sorted()
    }

    private func replay(_ number: Int, _ body: (SpoolEntry) -> Void) throws {
        let descriptor = try SystemPackage.FileDescriptor.open(path(number), .readOnly, options: .closeOnExec)
        try descriptor.closeAfter {
            var buffer = ByteBuffer()
            while try fill(&buffer, from: descriptor) {
                while let entry = try Self.next(&buffer) { body(entry) }
            }
            byteCount += Int(try descriptor.seek(offset: 0, from: .end))
            guard buffer.readableBytes > 0 else { return }
            logger.warning(
                "A spool file ends within an entry",
                metadata: ["file": "\(path(number))", "bytes": "\(buffer.readableBytes)"])
        }
    }

    private func fill(_ buffer: inout ByteBuffer, from descriptor: SystemPackage.FileDescriptor) throws -> Bool {
        buffer.discardReadBytes()
        let count = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 1 << 20) {
            try descriptor.read(into: $0)
        }
        return count > 0
    }

    /// The next whole entry; nil when more bytes are needed.
    /// - Throws: `DamagedSpool` when the bytes are not what was written.
    private static func next(_ buffer: inout ByteBuffer) throws -> SpoolEntry? {
        guard let length = buffer.getInteger(at: buffer.readerIndex, as: UInt32.self),
            let expected = buffer.getInteger(at: buffer.readerIndex + 4, as: UInt64.self),
            let payload = buffer.getSlice(at: buffer.readerIndex + headerSize, length: Int(length))
        else { return nil }
        guard checksum(payload) == expected else { throw DamagedSpool() }
        buffer.moveReaderIndex(forwardBy: headerSize + Int(length))
        return try SpoolEntry(payload)
    }

    // MARK: - Writing

    /// Writes one entry; when this returns the entry survives the process.
    package func append(_ entry: SpoolEntry) throws {
        guard let file else { throw Errno.badFileDescriptor }
        try write(entry, to: file)
    }

    private func write(_ entry: SpoolEntry, to file: SystemPackage.FileDescriptor) throws {
        let payload = entry.encode()
        var frame = ByteBufferAllocator().buffer(capacity: payload.readableBytes + Self.headerSize)
        frame.writeInteger(UInt32(payload.readableBytes))
        frame.writeInteger(Self.checksum(payload))
        frame.writeImmutableBuffer(payload)
        do {
            byteCount += try frame.withUnsafeReadableBytes { try file.writeAll($0) }
        } catch {
            // Half an entry would hide those after it: go on in a fresh file.
            try openNext()
            throw error
        }
    }

    /// True when the spool is several times larger than what a snapshot would hold.
    func isWorthCompacting(liveBytes: Int) -> Bool {
        byteCount > max(compactionFloor, 4 * liveBytes)
    }

    /// Replaces all files by one that holds what `body` writes.
    func compact(_ body: (_ write: (SpoolEntry) throws -> Void) throws -> Void) throws {
        let old = try existing()
        let next = number + 1
        let temporary = directory.appending("snapshot.tmp")
        byteCount = 0
        let snapshot = try Self.create(temporary)
        do {
            try write(.snapshot, to: snapshot)
            try body { try write($0, to: snapshot) }
            try FileManager.default.moveItem(atPath: temporary.string, toPath: path(next).string)
        } catch {
            try snapshot.close()
            throw error
        }
        try file?.close()
        file = snapshot
        number = next
        for number in old { try FileManager.default.removeItem(atPath: path(number).string) }
    }

    private func openNext() throws {
        let next = try Self.create(path(number + 1))
        number += 1
        let previous = file
        file = next
        try previous?.close()
    }

    private static func create(_ path: FilePath) throws -> SystemPackage.FileDescriptor {
        try SystemPackage.FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate, .append, .closeOnExec], permissions: [.ownerReadWrite])
    }

    private func path(_ number: Int) -> FilePath {
        let digits = String(number)
        return directory.appending("spool-\(String(repeating: "0", count: max(0, 10 - digits.count)))\(digits).log")
    }

    /// FNV-1a over words of eight bytes: finds torn writes, not attackers.
    private static func checksum(_ bytes: ByteBuffer) -> UInt64 {
        bytes.withUnsafeReadableBytes { bytes in
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(bytes.count)
            let words = bytes.count / 8
            for word in 0..<words {
                hash = (hash ^ bytes.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self)) &* 0x100_0000_01B3
            }
            for byte in bytes[(words * 8)...] { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
            return hash
        }
    }
}

/// A spool file holds bytes that were never written there.
struct DamagedSpool: Error, CustomStringConvertible {
    var description: String { "a spool file is damaged: move the files away to start with an empty log" }
}
