package import FoundationEssentials
import Glibc

/// Length, kind and time of a file.
package struct FileStatus: Hashable, Sendable {
    /// The length in bytes.
    package let size: Int
    /// When the content last changed.
    package let modified: Date
    /// Whether it is a folder.
    package let isDirectory: Bool

    init(_ status: stat) {
        size = Int(status.st_size)
        modified = Date(
            timeIntervalSince1970: Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1_000_000_000)
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
    }
}
