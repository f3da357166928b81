import PlatformModel

/// The name of one running instance: `<app>-<type>-<release tag>-<5 letters or digits>`.
struct PodName: Hashable, Sendable, Comparable, CustomStringConvertible {
    let text: String

    init(_ text: String) { self.text = text }

    /// A fresh name for a process of `workload`.
    init(for workload: Workload) {
        let letters = Array("bcdfghjklmnpqrstvwxz2456789")
        var suffix = ""
        for _ in 0..<5 { suffix.append(letters[Int.random(in: 0..<letters.count)]) }
        text = "\(workload.app)-\(workload.processType)-\(workload.releaseTag)-\(suffix)"
    }

    var description: String { text }

    static func < (left: Self, right: Self) -> Bool { left.text < right.text }
}
