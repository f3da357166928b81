/// A file that is to appear at its path as a whole.
package struct FilePlacement: Sendable {
    /// Where it is to appear.
    package let path: String
    /// What is to be written; nil for a file that exists already.
    let bytes: [UInt8]?
    /// The file that is renamed: an existing one, or the temporary one the bytes are written to.
    let source: String

    /// Places bytes held in memory; `temporary` is a path on the same file system that nobody else uses.
    package init(_ path: String, bytes: [UInt8], temporary: String) {
        self.path = path
        self.bytes = bytes
        source = temporary
    }

    /// Places an existing file, whose content the caller has flushed.
    package init(_ path: String, movedFrom source: String) {
        self.path = path
        bytes = nil
        self.source = source
    }
}
