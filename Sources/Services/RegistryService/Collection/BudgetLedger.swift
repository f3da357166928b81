import OCIRegistry

/// Keeps repositories and the whole registry within the bytes they may hold.
///
/// What is there is measured now and then and counted up in between. Nothing is refused by an old measure: before a
/// refusal it is taken anew, so that what was deleted and collected gives room at once. Several replicas on one bucket
/// see each other's pushes with the next measure and may go past a budget by what they take in a minute.
actor BudgetLedger {
    /// How long a measure serves.
    private static let lifetime = Duration.seconds(60)
    /// How young a measure must be to refuse by it.
    private static let refusalAge = Duration.seconds(1)

    private struct Account {
        var measured = 0
        var taken: ContinuousClock.Instant
        /// What was admitted since.
        var added = 0

        var used: Int { measured + added }
    }

    private let storage: any RegistryStorage
    private let rules: CollectionRules
    /// By repository; the registry as a whole under nil.
    private var accounts: [RepositoryName?: Account] = [:]

    init(storage: any RegistryStorage, rules: CollectionRules) {
        self.storage = storage
        self.rules = rules
    }

    /// Takes over what a collection measured.
    func measured(total: Int) {
        accounts = rules.budget == nil ? [:] : [nil: Account(measured: total, taken: .now)]
    }

    /// Makes sure that `bytes` more fit into the repository and the registry.
    ///
    /// - Throws: `DENIED` with what to do when they do not.
    func check(_ bytes: Int, in name: RepositoryName) async throws {
        if let budget = rules.rule(for: name).budget {
            let used = try await used(name, wanting: bytes, of: budget)
            if used + bytes > budget { throw RegistryError.overBudget("The repository \(name)", budget, used, bytes) }
        }
        if let budget = rules.budget {
            let used = try await used(nil, wanting: bytes, of: budget)
            if used + bytes > budget { throw RegistryError.overBudget("The registry", budget, used, bytes) }
        }
    }

    /// How many bytes still fit; nil when there is no limit.
    func room(in name: RepositoryName) async throws -> Int? {
        var room: Int?
        if let budget = rules.rule(for: name).budget { room = budget - (try await used(name, wanting: 0, of: budget)) }
        if let budget = rules.budget {
            room = min(room ?? .max, budget - (try await used(nil, wanting: 0, of: budget)))
        }
        return room.map { max(0, $0) }
    }

    /// Counts `bytes` while `body` stores them, and gives them back when it fails.
    nonisolated func admit(
        _ bytes: Int, to name: RepositoryName, _ body: @Sendable () async throws -> Void
    ) async throws {
        guard limits(name) else { return try await body() }
        try await check(bytes, in: name)
        await add(bytes, in: name)
        do {
            try await body()
        } catch {
            await add(-bytes, in: name)
            throw error
        }
    }

    nonisolated func limits(_ name: RepositoryName) -> Bool {
        rules.budget != nil || rules.rule(for: name).budget != nil
    }

    private func add(_ bytes: Int, in name: RepositoryName) {
        accounts[name]?.added += bytes
        accounts[.none]?.added += bytes
    }

    private func used(_ name: RepositoryName?, wanting bytes: Int, of budget: Int) async throws -> Int {
        if let account = accounts[name] {
            let age = ContinuousClock.now - account.taken
            let refuses = account.used + bytes > budget
            if age < (refuses ? Self.refusalAge : Self.lifetime) { return account.used }
        }
        let taken = ContinuousClock.now
        let before = accounts[name]?.added ?? 0
        let measured = try await name.asyncUsage(storage)
        // What was admitted while the measure was taken may not be part of it.
        let added = (accounts[name]?.added ?? before) - before
        accounts[name] = Account(measured: measured, taken: taken, added: max(0, added))
        return accounts[name]?.used ?? measured
    }
}

extension RepositoryName? {
    /// What the repository, or without one the whole registry, holds now.
    fileprivate func asyncUsage(_ storage: any RegistryStorage) async throws -> Int {
        switch self {
        case .some(let name): try await storage.usage(of: name)
        case .none: try await storage.totalUsage()
        }
    }
}

extension RegistryError {
    private static let advice =
        "Delete tags or images that are not needed and wait for the next collection, or ask the operator for a larger "
        + "budget."

    static func overBudget(_ subject: String, _ budget: Int, _ used: Int, _ wanted: Int) -> RegistryError {
        RegistryError(
            .denied,
            "\(subject) may hold \(budget) bytes and holds \(used); \(wanted) more do not fit. \(advice)",
            detail: ["budget": "\(budget)", "used": "\(used)", "wanted": "\(wanted)"])
    }

    static func overBudget(_ room: Int, _ size: Int) -> RegistryError {
        RegistryError(
            .denied,
            "There is room for \(room) bytes and the upload is longer. \(advice)",
            detail: ["room": "\(room)", "received": "\(size)"])
    }
}
