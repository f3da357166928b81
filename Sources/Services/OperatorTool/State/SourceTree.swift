import Glibc

/// Finds files of the source tree the programs were built in.
enum SourceTree {
    /// The file of this name in the nearest folder above `path`; nil when the programs were moved elsewhere.
    static func find(_ name: String, above path: String) -> String? {
        var parts = path.split(separator: "/")
        while !parts.isEmpty {
            let candidate = "/" + parts.joined(separator: "/") + "/" + name
            if access(candidate, F_OK) == 0 { return candidate }
            parts.removeLast()
        }
        return nil
    }
}
