import CommandRunner
import FoundationEssentials
import Glibc
import ObjectStorage
import OpenSSLCrypto
import PlatformModel

/// Fetches the source of a job and lays it out in a folder.
struct SourceBundle: Sendable {
    let job: BuildJob

    /// Downloads, checks the digest while writing, and unpacks.
    ///
    /// - Returns: the folder with the source files.
    func unpack() async throws -> String {
        let archive = job.workDirectory + "/source.tar"
        let directory = job.workDirectory + "/source"
        try await download(to: archive)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let compression = job.sourceKey.hasSuffix(".gz") ? ["--gzip"] : []
        let tar = try await CommandRunner.run(
            Command(
                "tar", ["--extract", "--file", archive, "--directory", directory, "--no-same-owner"] + compression,
                deadline: .seconds(300)))
        guard tar.exit.isSuccess else {
            throw BuildFailure(.source, "The source bundle cannot be unpacked: \(tar.errorText)")
        }
        try FileManager.default.removeItem(atPath: archive)
        return directory
    }

    private func download(to path: String) async throws {
        let hasher = SHA256Digest()
        do {
            let store = try await makeObjectStore(
                url: job.storage.url, accessKey: job.storage.accessKey,
                secretKey: job.storage.secretKey.map { Secret($0) })
            let object = try await store.get(try ObjectKey(job.sourceKey), range: nil)
            let file = try FileWriter(path: path)
            for try await chunk in object.body {
                hasher.update(chunk)
                try file.write(chunk)
            }
        } catch let error as ObjectStorageError where error.code == .notFound {
            throw BuildFailure(
                .source, "The source bundle of this build is no longer in storage.", hint: "Push the commit again.")
        } catch let error as ObjectStorageError {
            throw TemporaryFailure(description: "object storage: \(String(reflecting: error))")
        }
        let digest = "sha256:" + hasher.hexDigest()
        guard digest == job.sourceDigest else {
            throw BuildFailure(
                .source, "The source bundle in storage is not what was pushed (its digest differs).",
                hint: "Push the commit again.")
        }
    }
}

/// A file that is written from start to end.
private final class FileWriter {
    private let descriptor: Int32

    init(path: String) throws {
        descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileFailure(operation: "open") }
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw FileFailure(operation: "write") }
            rest = rest.dropFirst(count)
        }
    }
}
