import PlatformModel

/// The machine class a plan is cut from, as the command line shows it.
struct LimitSpec: Sendable, Equatable {
    let id: String
    let cpu: JSONValue
    let memory: JSONValue
    let features: JSONValue
    let keywords: [String]
    let disabled: Bool
    let priority: Int

    var wire: JSONValue {
        ["id": .string(id), "cpu": cpu, "memory": memory, "features": features, "disabled": .bool(disabled)]
    }
}

/// A size a process may have: whole processors and gibibytes.
struct LimitPlan: Sendable, Equatable {
    let id: String
    let spec: LimitSpec
    let cpu: Int
    let memory: Int
    let disabled: Bool
    let priority: Int

    /// Bytes of memory a process of this plan may use.
    var memoryBytes: Int { memory << 30 }

    var wire: JSONValue {
        [
            "id": .string(id), "spec": spec.wire, "cpu": .integer(cpu), "memory": .integer(memory),
            "features": ["gpu": 1, "network": 1], "disabled": .bool(disabled),
        ]
    }
}

/// The read-only list of specs and plans this installation offers.
struct LimitCatalogue: Sendable {
    let specs: [LimitSpec]
    let plans: [LimitPlan]

    /// The catalogue every installation ships: one spec and 28 plans, the smallest first.
    static let standard = LimitCatalogue.makeStandard()

    /// The plan of a process type nobody chose one for.
    var defaultPlan: String { plans.first { !$0.disabled }?.id ?? "std1.large.c1m1" }

    func plan(_ id: String) -> LimitPlan? { plans.first { $0.id == id } }

    func spec(_ id: String) -> LimitSpec? { specs.first { $0.id == id } }

    /// Enabled specs that have all the keywords in `text`, which is split at everything that is not a word.
    func specs(matching text: String) -> [LimitSpec] {
        let wanted = text.lowercased().split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init)
        return specs.filter { spec in !spec.disabled && wanted.allSatisfy { spec.keywords.contains($0) } }
            .sorted { $0.priority > $1.priority }
    }

    /// Enabled plans; a criterion left out matches all.
    func plans(spec: String?, cpu: Int?, memory: Int?) -> [LimitPlan] {
        plans.filter { plan in
            !plan.disabled && spec.map { $0 == plan.spec.id } ?? true
                && cpu.map { $0 == plan.cpu } ?? true && memory.map { $0 == plan.memory } ?? true
        }
    }

    private static func makeStandard() -> LimitCatalogue {
        let spec = LimitSpec(
            id: "std1",
            cpu: [
                "name": "Universal CPU", "boost": "3700MHZ", "clock": "3100MHZ", "cores": 32, "threads": 64,
            ],
            memory: ["size": "64GB", "type": "DDR4-ECC"],
            features: [
                "gpu": [
                    "name": "Integrated GPU", "rops": 1, "tmus": 1, "cores": 128,
                    "memory": ["size": "shared", "type": "shared"],
                ],
                "network": "10G",
            ],
            keywords: ["std1", "standard", "universal", "cpu", "ddr4", "ecc", "integrated", "gpu", "10g"],
            disabled: false, priority: 100)
        var plans: [LimitPlan] = []
        for cpu in [1, 2, 4, 8, 16, 32, 64] {
            for factor in [1, 2, 4, 8] {
                let memory = cpu * factor
                plans.append(
                    LimitPlan(
                        id: "std1.large.c\(cpu)m\(memory)", spec: spec, cpu: cpu, memory: memory, disabled: false,
                        priority: 10_100 + 100 * plans.count))
            }
        }
        return LimitCatalogue(specs: [spec], plans: plans)
    }
}
