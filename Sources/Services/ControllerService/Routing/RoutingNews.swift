/// What a router is told that asks for what it lacks.
enum RoutingNews: Encodable, Sendable, Equatable {
    case table(RoutingTable)
    case changes(RoutingChanges)

    var version: Int {
        switch self {
        case .table(let table): table.version
        case .changes(let changes): changes.version
        }
    }

    func encode(to encoder: any Encoder) throws {
        switch self {
        case .table(let table): try table.encode(to: encoder)
        case .changes(let changes): try changes.encode(to: encoder)
        }
    }
}

/// What leads from one version of the routing table to a later one.
struct RoutingChanges: Codable, Sendable, Equatable {
    let version: Int
    /// The version these changes are for; told apart from a whole table by its presence.
    let since: Int
    /// The hosts that are new or differ.
    var hosts: [RoutingTable.Host] = []
    /// The names of hosts that are no longer there.
    var removed: [String] = []
}
