import CommandRunner
import Glibc

/// The processes of builds, told by the folder they work in: every build runs in a work folder of its own.
enum WorkFolderProcesses {
    /// Those that work in `folder` or below it.
    static func running(in folder: String) -> [ProcessIdentity] {
        ProcessIdentity.all().filter { process in
            guard let place = workingDirectory(of: process) else { return false }
            return place == folder || place.hasPrefix(folder + "/")
        }
    }

    /// nil for a process that has gone or belongs to somebody else.
    private static func workingDirectory(of process: ProcessIdentity) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/\(process.pid)/cwd", &buffer, buffer.count - 1)
        guard count > 0 else { return nil }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
