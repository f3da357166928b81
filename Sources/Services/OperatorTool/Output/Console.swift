import Glibc

/// What a command says to the person at the terminal.
enum Console {
    /// Writes a line to standard output at once, whatever it leads to.
    static func say(_ text: String) { emit("\(text)\n", to: STDOUT_FILENO) }

    /// Writes a line to standard error.
    static func complain(_ text: String) { emit("\(text)\n", to: STDERR_FILENO) }

    private static func emit(_ text: String, to descriptor: Int32) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // A terminal that has gone away has nobody to tell.
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
