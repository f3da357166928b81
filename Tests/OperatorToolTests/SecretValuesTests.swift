import CommandRunner
import FoundationEssentials
import Glibc
import PlatformModel
import ServiceRuntime
import TestSupport
import Testing

@testable import OperatorTool

/// An installation's own secrets.
@Suite struct SecretValuesTests {
    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : 0
    }

    @Test func secretsAreMadeOnceAndKept() async throws {
        try await withTemporaryDirectory("secrets") { root in
            let state = StateDirectory(root: root)
            try state.prepare()
            let first = try SecretValues.load(from: state)
            let second = try SecretValues.load(from: state)
            let values = SecretValues.Use.allCases.map { first[$0].reveal() }
            #expect(values == SecretValues.Use.allCases.map { second[$0].reveal() })
            #expect(Set(values).count == values.count)
            #expect(values.allSatisfy { $0.utf8.count >= 44 })
        }
    }

    @Test func rulesOfTheRegistryAreTheOperatorsAfterTheFirstStart() async throws {
        try await withTemporaryDirectory("rules") { root in
            let rules = RegistryRules(state: StateDirectory(root: root))
            try rules.ensure()
            #expect(try StateFile.readText(rules.path)?.contains("untagged_after") == true)
            try StateFile.write("[]", to: rules.path, mode: 0o644)
            try rules.ensure()
            #expect(try StateFile.readText(rules.path) == "[]")
        }
    }

    @Test func aSecretOfANewerVersionJoinsTheOlderOnes() async throws {
        try await withTemporaryDirectory("secrets") { root in
            let state = StateDirectory(root: root)
            try state.prepare()
            try Data(#"{"broker":"old"}"#.utf8).write(to: URL(filePath: state.secretValues))
            let values = try SecretValues.load(from: state)
            #expect(values[.broker].reveal() == "old")
            #expect(!values[.controllerKey].reveal().isEmpty)
        }
    }

    @Test func nobodyElseCanReadThem() async throws {
        try await withTemporaryDirectory("secrets") { root in
            let state = StateDirectory(root: root)
            try state.prepare()
            _ = try SecretValues.load(from: state)
            try SecretValues.write(["DATABASE_URL": Secret("postgresql://x")], for: "passport", in: state)
            #expect(mode(state.secretValues) == 0o600)
            #expect(mode("\(root)/secrets") == 0o700)
            #expect(mode(state.keys) == 0o700)
            #expect(mode(state.secrets(of: "passport")) == 0o700)
            #expect(mode("\(state.secrets(of: "passport"))/database-url") == 0o600)
        }
    }

    /// A plan is logged and shown; secrets are in files alone.
    @Test func noSecretStandsInACommand() async throws {
        try await withTemporaryDirectory("secrets") { root in
            let state = StateDirectory(root: root)
            try state.prepare()
            var settings = try Settings.standard()
            for (number, use) in PortPlan.Use.allCases.enumerated() { settings.ports[use] = 20_000 + number }
            let plans = try PlatformPlan(state: state, settings: settings, programs: ProgramDirectory(path: "/bin"))
            let authority = LocalAuthority(state: state, domain: settings.domain)
            let all = [
                plans.registry(), plans.logger(), plans.shipper(), plans.passport(), plans.controller(), plans.worker(),
                plans.builder(), plans.router(authority: authority),
            ]
            let secrets = SecretValues.Use.allCases.map { plans.secrets[$0].reveal() }
            for plan in all {
                let words = plan.command.arguments + plan.command.environment.values
                #expect(!words.contains { word in secrets.contains { word.contains($0) } }, "\(plan.name)")
            }
            #expect(plans.controller().command.environment["STORAGE_URL"] == nil)
        }
    }
}
