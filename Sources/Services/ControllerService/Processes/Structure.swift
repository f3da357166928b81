/// The wanted number of processes of each type.
struct Structure: Sendable, Equatable {
    var counts: [String: Int]

    init(_ counts: [String: Int] = [:]) { self.counts = counts }

    subscript(_ ptype: String) -> Int { counts[ptype] ?? 0 }

    /// The structure once a release with `ptypes` is deployed.
    ///
    /// Every type of the release is present, `web` with one process and others with none unless counted already. Types
    /// the release does not have stay while they have processes.
    func merged(with ptypes: [String]) -> Structure {
        var result: [String: Int] = [:]
        for ptype in ptypes { result[ptype] = counts[ptype] ?? (ptype == "web" ? 1 : 0) }
        for (ptype, count) in counts where result[ptype] == nil && count > 0 { result[ptype] = count }
        return Structure(result)
    }

    /// The structure after a scale request; types that are not present are ignored.
    func scaled(by request: [String: Int]) -> Structure {
        var result = counts
        for (ptype, count) in request where result[ptype] != nil { result[ptype] = count }
        return Structure(result)
    }

    /// `web=2 worker=0`, as the app's log shows a scale request.
    static func describe(_ request: [String: Int]) -> String {
        request.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }
}
