/// The next table, checked, and what it changes in the one before.
///
/// Entries that are as they were are not checked again, so a step costs what differs; comparing a whole table costs one
/// look at each of its hosts.
struct TableStep: Sendable {
    let table: CheckedTable
    /// nil when there was no table before.
    let difference: TableDifference?

    private struct Draft {
        var hosts: [String: HostEntry] = [:]
        var problems: [CheckedTable.Problem] = []
        var changed: [HostEntry] = []
        var removed: [String] = []
    }

    /// The step to a whole table.
    init(
        to table: RoutingTable, from previous: CheckedTable?, rules: TableRules
    ) throws(CheckedTable.Refused) {
        guard table.version >= 0 else { throw CheckedTable.Refused(description: "the version is negative") }
        if table.version > 0, table.hosts.isEmpty, !table.certificates.isEmpty {
            throw CheckedTable.Refused(description: "there are certificates and no hosts")
        }
        var draft = Draft()
        let certificates = Self.certificates(table.certificates, from: previous, rules: rules, &draft)
        draft.hosts.reserveCapacity(table.hosts.count)
        var known = 0
        for entry in table.hosts {
            if draft.hosts[entry.host] == nil, let same = previous?.hosts[entry.host], same == entry,
                Self.isShown(entry.certificate, certificates)
            {
                draft.hosts[entry.host] = entry
                known += 1
                continue
            }
            let name = entry.host.lowercased()
            if draft.hosts[name] != nil {
                draft.problems.append(.init(name: entry.host, reason: TableRules.claimed))
            } else if let entry = Self.accept(entry, name: name, certificates: certificates, rules: rules, &draft) {
                draft.hosts[name] = entry
                draft.changed.append(entry)
                if previous?.hosts[name] != nil { known += 1 }
            }
        }
        if let previous, known < previous.hosts.count {
            draft.removed = previous.hosts.keys.filter { draft.hosts[$0] == nil }
        }
        self.table = CheckedTable(
            version: table.version, hosts: draft.hosts, certificates: certificates, problems: draft.problems)
        difference = previous.map { previous in
            TableDifference(
                version: table.version, hosts: draft.changed, removedHosts: draft.removed,
                certificates: certificates.values.filter { previous.certificates[$0.id] != $0 },
                removedCertificates: previous.certificates.keys.filter { certificates[$0] == nil })
        }
    }

    /// The step by changes, nil when only the whole table tells the outcome: they are for another version, or names
    /// that differ in case alone make the order of entries matter.
    init?(by changes: RoutingChanges, from previous: CheckedTable, rules: TableRules) {
        guard changes.since == previous.version, changes.version > changes.since,
            changes.hosts.allSatisfy({ $0.host == $0.host.lowercased() }),
            !previous.problems.contains(where: { $0.reason == TableRules.claimed })
        else { return nil }
        var draft = Draft(hosts: previous.hosts)
        let touched = Set(changes.hosts.map(\.host) + changes.removed)
        draft.problems = previous.problems.filter { !touched.contains($0.name) }
        for name in changes.removed { draft.hosts[name] = nil }
        for entry in changes.hosts {
            if let accepted = Self.accept(
                entry, name: entry.host, certificates: previous.certificates, rules: rules, &draft)
            {
                draft.hosts[entry.host] = accepted
                draft.changed.append(accepted)
            } else {
                draft.hosts[entry.host] = nil
            }
        }
        draft.removed = touched.filter { previous.hosts[$0] != nil && draft.hosts[$0] == nil }
        table = CheckedTable(
            version: changes.version, hosts: draft.hosts, certificates: previous.certificates, problems: draft.problems)
        difference = TableDifference(
            version: changes.version, hosts: draft.changed, removedHosts: draft.removed, certificates: [],
            removedCertificates: [])
    }

    private static func certificates(
        _ entries: [CertificateEntry], from previous: CheckedTable?, rules: TableRules, _ draft: inout Draft
    ) -> [String: CertificateEntry] {
        var usable: [String: CertificateEntry] = [:]
        var seen: Set<String> = []
        for entry in entries {
            if !seen.insert(entry.id).inserted {
                draft.problems.append(.init(name: entry.id, reason: "the certificate is listed twice"))
            } else if previous?.certificates[entry.id] == entry {
                usable[entry.id] = entry
            } else if let reason = rules.fault(of: entry) {
                draft.problems.append(.init(name: entry.id, reason: reason))
            } else {
                usable[entry.id] = entry
            }
        }
        return usable
    }

    private static func isShown(_ id: String?, _ certificates: [String: CertificateEntry]) -> Bool {
        guard let id else { return true }
        return certificates[id] != nil
    }

    /// The entry as the edge takes it: lower-case name, no backend twice, no certificate that is not in the table.
    private static func accept(
        _ entry: HostEntry, name: String, certificates: [String: CertificateEntry], rules: TableRules,
        _ draft: inout Draft
    ) -> HostEntry? {
        if let reason = rules.fault(of: entry, name: name) {
            draft.problems.append(.init(name: entry.host, reason: reason))
            return nil
        }
        let hasCertificate = isShown(entry.certificate, certificates)
        if let id = entry.certificate, !hasCertificate {
            draft.problems.append(.init(name: entry.host, reason: "its certificate \(id) is missing or unusable"))
        }
        var seen: Set<Backend> = []
        return HostEntry(
            host: name, app: entry.app,
            state: entry.state == .serving && entry.backends.isEmpty ? .noProcess : entry.state,
            backends: entry.backends.filter { seen.insert($0).inserted }, https: entry.https,
            certificate: hasCertificate ? entry.certificate : nil)
    }
}

/// What one table changes in another.
struct TableDifference: Equatable, Sendable {
    let version: Int
    let hosts: [HostEntry]
    let removedHosts: [String]
    let certificates: [CertificateEntry]
    let removedCertificates: [String]
}
