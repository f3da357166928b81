import ConcurrencyPrimitives
package import Logging
import Metrics
import OpenSSLCrypto
import ServiceRuntime

/// The table in force: checks what comes, hands nginx what differs and keeps the last good table on disk.
package actor EdgeTable {
    /// Changes do not fit the table in force; the whole table is needed.
    package struct OutOfStep: Error, CustomStringConvertible {
        package let description: String
    }

    private struct InForce {
        let table: CheckedTable
        /// Names exactly this content, so that changes never meet another table than theirs.
        let tag: String
    }

    private let settings: EdgeSettings
    private let control: EdgeControl
    private let rules: TableRules
    private let logger: Logger
    private var current: InForce?
    private var journal: TableJournal
    /// What speaks with nginx about the table takes turns.
    private let turns = KeyedQueue<Bool>()
    private let version = Gauge(label: "router.table.applied.version")
    private let setAside = Gauge(label: "router.table.set_aside")
    private let applied = Counter(label: "router.table.applied")
    private let refused = Counter(label: "router.table.refused")

    package init(settings: EdgeSettings, control: EdgeControl, logger: Logger) {
        self.settings = settings
        self.control = control
        self.logger = logger
        journal = TableJournal(path: settings.paths.records)
        rules = TableRules(
            reserved: Set(settings.platformHosts.map { $0.host.lowercased() }), isUsable: Self.isUsable)
    }

    /// The version in force, nil before the first table.
    package var currentVersion: Int? { current?.table.version }

    /// Loads the last good table. One that cannot be read is reported and ignored: the controller has the truth.
    package func load() throws {
        do {
            guard let stored = try journal.read() else { return }
            let table = try CheckedTable(stored.table, rules: rules)
            report(table.problems, version: table.version)
            current = InForce(table: table, tag: table.problems.isEmpty ? stored.tag : Self.newTag())
            logger.notice("Serving the stored routing table", metadata: ["version": "\(table.version)"])
        } catch let failure as StateFile.Failure {
            throw failure
        } catch {
            logger.error("The stored routing table is not used", metadata: ["error": "\(error)"])
        }
    }

    /// Puts the records where a starting nginx finds them.
    package func storeRecords() throws {
        guard let current else { return }
        try journal.write(EdgeRecords.render(current.table, tag: current.tag))
    }

    /// Gives an nginx that was started anew the table in force, if it was changed while nginx was away.
    package func reassert() async throws {
        try await turns.withKey(true) { try await self.sendIfMissing() }
    }

    /// Makes a whole table the one in force.
    package func apply(_ table: RoutingTable) async throws { try await apply(.table(table)) }

    /// Makes what the controller says the table in force.
    ///
    /// When it returns, nginx sends no new request to a backend that is not in it, and the table survives a restart.
    /// - Throws: ``OutOfStep`` for changes of another table, ``CheckedTable/Refused``, ``EdgeControl/Refused`` or what
    ///   made nginx unreachable; the table before stays in force.
    package func apply(_ news: RoutingNews) async throws {
        try await turns.withKey(true) { try await self.take(news) }
    }

    private func take(_ news: RoutingNews) async throws {
        do {
            let step = try step(to: news)
            report(step.table.problems, version: news.version)
            try await send(step)
        } catch {
            refused.increment()
            throw error
        }
        applied.increment()
        version.record(news.version)
    }

    private func step(to news: RoutingNews) throws -> TableStep {
        switch news {
        case .table(let table): return try TableStep(to: table, from: current?.table, rules: rules)
        case .changes(let changes):
            guard let current, let step = TableStep(by: changes, from: current.table, rules: rules) else {
                throw OutOfStep(description: "changes of version \(changes.since) meet another table")
            }
            return step
        }
    }

    private func send(_ step: TableStep) async throws {
        let tag = Self.newTag()
        if let difference = step.difference, let base = current?.tag {
            let change = EdgeRecords.render(difference, tag: tag, base: base)
            do {
                try await control.changeTable(change)
                current = InForce(table: step.table, tag: tag)
                return try journal.wantsWhole ? storeRecords() : journal.append(change)
            } catch is EdgeControl.OutOfStep {
                logger.notice("nginx has another table and gets the whole one")
            }
        }
        let whole = EdgeRecords.render(step.table, tag: tag)
        try await control.replaceTable(whole)
        current = InForce(table: step.table, tag: tag)
        try journal.write(whole)
    }

    private func sendIfMissing() async throws {
        guard let current, try await control.tag() != current.tag else { return }
        try await control.replaceTable(EdgeRecords.render(current.table, tag: current.tag))
        try storeRecords()
    }

    private func report(_ problems: [CheckedTable.Problem], version: Int) {
        setAside.record(problems.count)
        for problem in problems {
            logger.warning(
                "An entry of the routing table is set aside",
                metadata: ["name": "\(problem.name)", "reason": "\(problem.reason)", "version": "\(version)"])
        }
    }

    private static func newTag() -> String { SecureRandom.hex(8) }

    @Sendable private static func isUsable(_ entry: CertificateEntry) -> Bool {
        do throws(CryptoError) {
            guard let leaf = try CertificateInfo.all(inPEM: entry.chain).first else { return false }
            return leaf.matches(try KeyPair(pem: entry.key))
        } catch {
            // The entry is set aside and named; how the PEM is damaged is for its owner to find.
            return false
        }
    }
}
