package import FoundationEssentials
import Glibc

/// Length, kind, time and identity of a file.
package struct FileStatus: Hashable, Sendable {
    /// The length in bytes.
    package let size: Int
    /// When the content last changed.
    package let modified: Date
    /// Whether it is a folder.
    package let isDirectory: Bool
    /// What tells it from other files on its file system as long as it exists.
    package let inode: UInt64

    init(_ status: stat) {
        size = Int(status.st_size)
        modified = Date(
            timeIntervalSince1970: Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1_000_000_000)
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
        inode = UInt64(status.st_ino)
    }
}
