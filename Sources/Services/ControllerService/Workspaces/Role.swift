import Postgres

/// What a member of a workspace may do with its apps.
enum Role: String, Sendable, CaseIterable, Comparable, PostgresDecodable, PostgresEncodable {
    case viewer, member, admin

    private var rank: Int {
        switch self {
        case .viewer: 0
        case .member: 1
        case .admin: 2
        }
    }

    static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
}
