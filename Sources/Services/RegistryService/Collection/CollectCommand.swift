import Logging
import ServiceRuntime

/// `registry collect`: a collection now, by this process or by the one that serves the folder.
struct CollectCommand: Sendable {
    private let storage: StorageSettings
    private let settings: CollectionSettings
    private let logger: Logger

    init(reader: inout ConfigurationReader, logger: Logger) {
        storage = StorageSettings(reader: &reader)
        settings = CollectionSettings(reader: &reader)
        self.logger = logger
    }

    /// Prints each item that goes, or with `isDryRun` would go, and a summary.
    func run(isDryRun: Bool) async throws {
        let opened: any RegistryStorage
        do {
            opened = try await storage.open(grace: settings.rules.grace)
        } catch let inUse as StorageInUse {
            let path = StorageLayout(root: inUse.root).control
            print(try await ControlSocket.collect(path: path, isDryRun: isDryRun), terminator: "")
            return
        }
        let budget = BudgetLedger(storage: opened, rules: settings.rules)
        let collector = Collector(storage: opened, rules: settings.rules, budget: budget, logger: logger)
        let report = try await collector.collect(isDryRun: isDryRun) { print($0) }
        print(report.summary)
    }
}
