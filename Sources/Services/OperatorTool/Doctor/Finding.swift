/// What one check found.
struct Finding: Codable, Equatable, Sendable {
    enum Grade: String, Codable, Comparable, Sendable {
        case ok, warn, fail

        private var rank: Int {
            switch self {
            case .ok: 0
            case .warn: 1
            case .fail: 2
            }
        }

        static func < (left: Self, right: Self) -> Bool { left.rank < right.rank }
    }

    let grade: Grade
    /// What was seen.
    let evidence: String
    /// The command or change that helps.
    let next: String?

    static func ok(_ evidence: String) -> Finding { Finding(grade: .ok, evidence: evidence, next: nil) }
    static func warn(_ evidence: String, next: String) -> Finding {
        Finding(grade: .warn, evidence: evidence, next: next)
    }
    static func fail(_ evidence: String, next: String) -> Finding {
        Finding(grade: .fail, evidence: evidence, next: next)
    }
}

/// One thing that must be right for the platform to work.
struct Check: Sendable {
    let name: String
    let body: @Sendable () async throws -> Finding

    init(_ name: String, _ body: @escaping @Sendable () async throws -> Finding) {
        self.name = name
        self.body = body
    }

    /// The finding; a check that itself breaks is a failure that says so.
    func run() async -> Finding {
        do {
            return try await body()
        } catch let error as OperatorError {
            return .fail(error.description, next: error.next ?? "workflow status")
        } catch {
            return .fail("\(error)", next: "workflow status")
        }
    }
}
