import FoundationEssentials

/// The hard limits this process may pass on to containers.
struct ResourceLimits {
    let openFiles: Int
    let processes: Int

    /// Read from the kernel; what cannot be read counts as the smallest useful limit.
    static var current: Self {
        let text: String
        do {
            text = try String(contentsOfFile: "/proc/self/limits", encoding: .utf8)
        } catch {
            // Without /proc no container could run either; the probe will say so.
            text = ""
        }
        return Self(parsing: text)
    }

    init(parsing text: String) {
        openFiles = Self.hardLimit("Max open files", in: text) ?? 1024
        processes = Self.hardLimit("Max processes", in: text) ?? 1024
    }

    private static func hardLimit(_ name: String, in text: String) -> Int? {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
        let columns = line.dropFirst(name.count).split(separator: " ")
        guard columns.count >= 2 else { return nil }
        return columns[1] == "unlimited" ? Int(Int32.max) : Int(columns[1])
    }
}
