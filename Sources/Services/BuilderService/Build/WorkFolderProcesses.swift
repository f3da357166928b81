import CommandRunner
import Glibc

/// The processes of builds, told by the folder they work in: every build runs in a work folder of its own.
enum WorkFolderProcesses {
    /// Those that work below `folder`.
    static func running(below folder: String) -> [ProcessIdentity] {
        ProcessIdentity.all().filter { workingDirectory(of: $0)?.hasPrefix(folder + "/") == true }
    }

    /// nil for a process that has gone or belongs to somebody else.
    private static func workingDirectory(of process: ProcessIdentity) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/\(process.pid)/cwd", &buffer, buffer.count - 1)
        guard count > 0 else { return nil }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
