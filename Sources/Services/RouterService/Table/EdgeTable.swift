import FoundationEssentials
package import Logging
import Metrics
import OpenSSLCrypto
import ServiceHTTP
import ServiceRuntime

/// The table in force: checks candidates, hands them to nginx and keeps the last good one on disk.
package actor EdgeTable {
    private let settings: EdgeSettings
    private let control: EdgeControl
    private let logger: Logger
    private var current: CheckedTable?
    private let version = Gauge(label: "router.table.applied.version")
    private let setAside = Gauge(label: "router.table.set_aside")
    private let applied = Counter(label: "router.table.applied")
    private let refused = Counter(label: "router.table.refused")

    package init(settings: EdgeSettings, control: EdgeControl, logger: Logger) {
        self.settings = settings
        self.control = control
        self.logger = logger
    }

    /// The version in force, nil before the first table.
    package var currentVersion: Int? { current?.table.version }

    /// Loads the last good table. One that cannot be read is reported and ignored: the controller has the truth.
    package func load() throws {
        guard let bytes = try StateFile.read(settings.paths.table) else { return }
        do {
            current = try check(JSONCoding.decoder.decode(RoutingTable.self, from: Data(bytes)))
            logger.notice("Serving the stored routing table", metadata: ["version": "\(currentVersion ?? 0)"])
        } catch {
            logger.error("The stored routing table is not used", metadata: ["error": "\(error)"])
        }
    }

    /// Puts the records where a starting nginx finds them.
    package func storeRecords() throws {
        guard let current else { return }
        try StateFile.write(EdgeRecords.render(current), to: settings.paths.records, mode: 0o600)
    }

    /// Makes `table` the one in force.
    ///
    /// When it returns, nginx sends no new request to a backend that is not in it, and the table survives a restart.
    /// - Throws: ``CheckedTable/Refused``, ``EdgeControl/Refused`` or what made nginx unreachable; the table before
    ///   stays in force.
    package func apply(_ table: RoutingTable) async throws {
        do {
            let checked = try check(table)
            try await control.replaceTable(EdgeRecords.render(checked))
            current = checked
            try storeRecords()
            try StateFile.write(JSONCoding.encoder.encode(checked.table), to: settings.paths.table, mode: 0o600)
        } catch {
            refused.increment()
            throw error
        }
        applied.increment()
        version.record(table.version)
    }

    private func check(_ table: RoutingTable) throws -> CheckedTable {
        let reserved = Set(settings.platformHosts.map { $0.host.lowercased() })
        let checked = try CheckedTable(table, reserved: reserved, isUsable: Self.isUsable)
        setAside.record(checked.problems.count)
        for problem in checked.problems {
            logger.warning(
                "An entry of the routing table is set aside",
                metadata: ["name": "\(problem.name)", "reason": "\(problem.reason)", "version": "\(table.version)"])
        }
        return checked
    }

    private static func isUsable(_ entry: CertificateEntry) -> Bool {
        do throws(CryptoError) {
            guard let leaf = try CertificateInfo.all(inPEM: entry.chain).first else { return false }
            return leaf.matches(try KeyPair(pem: entry.key))
        } catch {
            // The entry is set aside and named; how the PEM is damaged is for its owner to find.
            return false
        }
    }
}
