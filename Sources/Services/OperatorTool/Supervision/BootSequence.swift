/// Steps that depend on each other: each starts as soon as those before it are done.
struct BootSequence: Sendable {
    struct Step: Sendable {
        let name: String
        let after: [String]
        /// Does the step; the text says what came of it.
        let body: @Sendable () async throws -> String

        init(_ name: String, after: [String] = [], body: @escaping @Sendable () async throws -> String) {
            self.name = name
            self.after = after
            self.body = body
        }
    }

    /// A step that failed, with what it said.
    struct Failed: Error {
        let step: String
        let cause: any Error
    }

    let steps: [Step]
    let progress: @Sendable (ProgressEvent) -> Void

    /// Runs every step. The first failure cancels the others and is thrown as ``Failed``.
    func run() async throws {
        var waiting = steps
        var done: Set<String> = []
        try await withThrowingTaskGroup(of: String.self) { group in
            func startReady() {
                let ready = waiting.filter { step in step.after.allSatisfy { done.contains($0) } }
                waiting.removeAll { step in ready.contains { $0.name == step.name } }
                for step in ready { group.addTask { try await perform(step) } }
            }
            startReady()
            while let finished = try await group.next() {
                done.insert(finished)
                startReady()
            }
        }
        if let stuck = waiting.first {
            throw OperatorError("step \(stuck.name) waits for steps that do not exist: \(stuck.after)")
        }
    }

    private func perform(_ step: Step) async throws -> String {
        let clock = ContinuousClock()
        let start = clock.now
        do {
            let detail = try await step.body()
            progress(.done(step: step.name, milliseconds: (clock.now - start).milliseconds, detail: detail))
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw Failed(step: step.name, cause: error)
        }
        return step.name
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}
