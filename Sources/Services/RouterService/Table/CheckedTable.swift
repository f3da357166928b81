/// A routing table the edge can carry: every host that could harm another one has been set aside.
///
/// One app's mistake must not stop the updates of all others, so a host or certificate that breaks a rule is left out
/// and named in ``problems``; only a table that is wrong as a whole is refused.
package struct CheckedTable: Equatable, Sendable {
    /// Why a table as a whole cannot be used.
    package struct Refused: Error, Equatable, CustomStringConvertible {
        package let description: String
    }

    /// A host or certificate that was left out, and why.
    package struct Problem: Equatable, Sendable {
        package let name: String
        package let reason: String

        package init(name: String, reason: String) {
            self.name = name
            self.reason = reason
        }
    }

    package let version: Int
    /// By lower-case name.
    package let hosts: [String: HostEntry]
    /// By id.
    package let certificates: [String: CertificateEntry]
    package let problems: [Problem]

    init(
        version: Int, hosts: [String: HostEntry], certificates: [String: CertificateEntry], problems: [Problem]
    ) {
        self.version = version
        self.hosts = hosts
        self.certificates = certificates
        self.problems = problems
    }

    package init(_ table: RoutingTable, rules: TableRules) throws(Refused) {
        self = try TableStep(to: table, from: nil, rules: rules).table
    }
}
