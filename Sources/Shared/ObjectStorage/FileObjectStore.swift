import FoundationEssentials
import Glibc
import OpenSSLCrypto

/// Keeps objects as files below one folder.
///
/// The key is the path. An object is written under a name of its own in `.incoming`, flushed, and renamed, so that it
/// appears whole or not at all and survives a loss of power once the call returned. What a crash leaves in `.incoming`
/// is removed when the store is opened next. A key cannot be both an object and the folder of others (`.conflict`).
package struct FileObjectStore: ObjectStore {
    private static let incoming = ".incoming"
    private static let batch = 1 << 20

    private let root: String
    private let files: FileTree

    /// Opens a store, creating its folder and removing what an earlier process left unfinished.
    ///
    /// One process uses a folder at a time.
    /// - Parameter isDurable: whether to flush to the disk before a write returns; off only in tests.
    package init(directory: String, isDurable: Bool = true) async throws {
        root = directory
        files = FileTree(isDurable: isDurable)
        try await FileThreads.run { [files] in
            let folder = "\(directory)/\(Self.incoming)"
            try files.makeDirectory(folder)
            for name in try files.names(in: folder) { try files.remove("\(folder)/\(name)") }
        }
    }

    @discardableResult
    package func put<Body: AsyncSequence & Sendable>(_ key: ObjectKey, body: Body) async throws -> ObjectMetadata
    where Body.Element == [UInt8] {
        let temporary = "\(root)/\(Self.incoming)/\(SecureRandom.hex(16))"
        do {
            try await write(body, to: temporary)
            let target = path(key)
            return try await FileThreads.run { [files] in
                try files.move(temporary, to: target)
                guard let status = try files.status(target) else {
                    throw ObjectStorageError(.failed, "\(key) was removed while it was stored")
                }
                return ObjectMetadata(key: key, size: status.size, modified: status.modified)
            }
        } catch {
            // The failure that brought us here is the one to report; what stays is removed at the next start.
            _ = try? await FileThreads.run { [files] in try files.remove(temporary) }
            throw error
        }
    }

    package func get(_ key: ObjectKey, range: Range<Int>?) async throws -> StoredObject {
        let path = path(key)
        return try await FileThreads.run {
            let file = try OpenFile(path, .reading)
            let status = try file.status()
            guard !status.isDirectory else { throw ObjectStorageError(.notFound, "no object \(key)") }
            let metadata = ObjectMetadata(key: key, size: status.size, modified: status.modified)
            let part = try (range ?? 0..<status.size).clampedToObject(ofSize: status.size)
            let reader = FileReader(file, path: path, range: part)
            return StoredObject(metadata: metadata, body: ObjectBody { try await reader.next() })
        }
    }

    package func head(_ key: ObjectKey) async throws -> ObjectMetadata? {
        let path = path(key)
        return try await FileThreads.run { [files] in
            guard let status = try files.status(path), !status.isDirectory else { return nil }
            return ObjectMetadata(key: key, size: status.size, modified: status.modified)
        }
    }

    package func delete(_ key: ObjectKey) async throws {
        let path = path(key)
        try await FileThreads.run { [files, root] in
            guard let status = try files.status(path), !status.isDirectory else { return }
            try files.remove(path)
            var folder = FileTree.parent(of: path)
            while folder != root, try files.removeEmptyDirectory(folder) { folder = FileTree.parent(of: folder) }
        }
    }

    package func list(prefix: String, after: ObjectKey?, limit: Int) async throws -> ObjectPage {
        try await FileThreads.run { [files, root] in
            try FileListing(files: files, root: root, prefix: prefix, after: after, limit: limit).page()
        }
    }

    package func check() async throws {
        try await FileThreads.run { [files, root] in
            guard try files.status("\(root)/\(Self.incoming)")?.isDirectory == true else {
                throw ObjectStorageError(.unavailable, "the storage folder is gone")
            }
        }
    }

    private func path(_ key: ObjectKey) -> String { "\(root)/\(key)" }

    private func write<Body: AsyncSequence & Sendable>(_ body: Body, to path: String) async throws
    where Body.Element == [UInt8] {
        let writer = try await FileThreads.run { FileWriter(try OpenFile(path, .creating)) }
        var pending: [UInt8] = []
        for try await chunk in body {
            pending += chunk
            if pending.count >= Self.batch {
                let bytes = pending
                pending = []
                try await FileThreads.run { try writer.write(bytes) }
            }
        }
        try Task.checkCancellation()
        let last = pending
        try await FileThreads.run { [files] in
            try writer.write(last)
            if files.isDurable { try writer.synchronize() }
        }
    }
}

extension Range<Int> {
    /// The part of the range that lies in an object, or `.rangeNotSatisfiable`.
    func clampedToObject(ofSize size: Int) throws(ObjectStorageError) -> Range<Int> {
        if size == 0, lowerBound == 0 { return 0..<0 }
        guard lowerBound >= 0, lowerBound < size, !isEmpty else {
            throw ObjectStorageError(.rangeNotSatisfiable, "the object has \(size) bytes")
        }
        return lowerBound..<Swift.min(upperBound, size)
    }
}
