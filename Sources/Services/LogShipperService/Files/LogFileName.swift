/// Tells log files from others by their name, and the older from the newer.
struct LogFileName: Comparable, Hashable {
    /// The number of the container's start, as kubelet counts it.
    private let start: Int
    /// The time stamp of a rotated file; the file in use has none and is the newest.
    private let rotation: String?
    private let name: String

    /// Nil for a name that is no log: not `*.log` nor a rotated `*.log.<stamp>`, or compressed, or temporary.
    init?(_ name: String) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard let log = parts.lastIndex(of: "log"), log > 0, !name.hasPrefix(".") else { return nil }
        let stamp = parts[(log + 1)...]
        guard stamp.count <= 1, stamp.allSatisfy({ $0.first?.isNumber ?? false }) else { return nil }
        start = Int(parts[0]) ?? 0
        rotation = stamp.first.map(String.init)
        self.name = name
    }

    var isRotated: Bool { rotation != nil }

    static func < (left: Self, right: Self) -> Bool {
        guard left.start == right.start else { return left.start < right.start }
        switch (left.rotation, right.rotation) {
        case (let a?, let b?): return a < b
        case (_?, nil): return true
        case (nil, _?): return false
        case (nil, nil): return left.name < right.name
        }
    }
}
