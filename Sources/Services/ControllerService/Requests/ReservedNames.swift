/// Names that apps, workspaces, process types and other named things may not take, because the platform uses them.
struct ReservedNames: Sendable {
    /// A name, or a prefix that reserves itself and everything after a following hyphen.
    private enum Rule: Sendable {
        case exactly(String)
        case family(String)

        func matches(_ name: String) -> Bool {
            switch self {
            case .exactly(let text): name == text
            case .family(let text): name == text || name.hasPrefix(text + "-") && name.count > text.count + 1
            }
        }
    }

    private let rules: [Rule]

    /// The names reserved by every installation.
    static let standard = ReservedNames(rules: [
        .exactly("backup"), .exactly("catalog"), .exactly("cert-manager"), .exactly("default"), .family("drycc"),
        .family("istio"), .family("kube"), .exactly("longhorn-system"), .exactly("metallb"), .exactly("mount-s3"),
        .exactly("topolvm"), .exactly("rook-ceph"), .exactly("personal"), .exactly("passport"), .exactly("workflow"),
    ])

    private init(rules: [Rule]) { self.rules = rules }

    func contains(_ name: String) -> Bool { rules.contains { $0.matches(name) } }

    /// The sentence for a name that is taken by the platform.
    static func sentence(_ name: String) -> String { "\(name) is a reserved name." }
}
