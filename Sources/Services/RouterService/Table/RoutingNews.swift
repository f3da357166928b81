/// What the controller answers: a whole table, or what leads to it from the one the router has.
package enum RoutingNews: Decodable, Equatable, Sendable {
    case table(RoutingTable)
    case changes(RoutingChanges)

    package var version: Int {
        switch self {
        case .table(let table): table.version
        case .changes(let changes): changes.version
        }
    }

    /// How many hosts it names.
    package var size: Int {
        switch self {
        case .table(let table): table.hosts.count
        case .changes(let changes): changes.hosts.count + changes.removed.count
        }
    }

    private enum CodingKeys: String, CodingKey {
        case since
    }

    package init(from decoder: any Decoder) throws {
        let isChanges = try decoder.container(keyedBy: CodingKeys.self).contains(.since)
        self = isChanges ? .changes(try RoutingChanges(from: decoder)) : .table(try RoutingTable(from: decoder))
    }
}

/// What leads from one version of the routing table to a later one. Certificates change with whole tables only.
package struct RoutingChanges: Codable, Equatable, Sendable {
    package let version: Int
    /// The version these changes are for.
    package let since: Int
    /// The hosts that are new or differ.
    package let hosts: [HostEntry]
    /// The names of hosts that are no longer there.
    package let removed: [String]

    package init(version: Int, since: Int, hosts: [HostEntry], removed: [String] = []) {
        self.version = version
        self.since = since
        self.hosts = hosts
        self.removed = removed
    }
}
