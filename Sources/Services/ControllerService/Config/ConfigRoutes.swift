import HTTPTypes
import Hummingbird
import PlatformModel
import Postgres

/// An app's config: values, limits, probes and the rest.
struct ConfigRoutes: Sendable {
    let database: PostgresPool
    let releases: ReleaseService
    let configs: ConfigStore
    let plans: LimitCatalogue
    let log: AppLog

    func addRoutes(to routes: RouteCatalog) {
        routes.app(.get, "/v2/apps/{app}/config/", .viewer) { call in
            let app = call.caller.app
            let release = try await ReleaseQuery.release(call.query("version"), of: app, releases, in: database)
            return try Reply.json(ConfigWire.document(release.config, app))
        }
        routes.app(.post, "/v2/apps/{app}/config/", .member) { call in
            let change = try ConfigChange(body: try await call.members(), plans: plans)
            let merges = call.query("merge")?.lowercased() != "false"
            let config = try await apply(change, mode: merges ? .merge : .replaceNamed, call.caller)
            return try Reply.created(ConfigWire.document(config, call.caller.app))
        }
        routes.app(.delete, "/v2/apps/{app}/config/", .admin) { call in
            let change = try ConfigChange(
                body: ["values_refs": try await call.members()["values_refs"] ?? .null], plans: plans)
            var groups: [String: [String]] = [:]
            for (ptype, edit) in change.valuesRefs {
                if case .set(let names) = edit, !names.isEmpty { groups[ptype] = names }
            }
            guard !groups.isEmpty else { throw Refusal.invalid("ptype or groups is required") }
            try await detach(groups, call.caller)
            return Response(status: .ok)
        }
    }

    private func apply(_ change: ConfigChange, mode: ValuesMode, _ member: AppMember) async throws -> Config {
        try await release(member) { app, transaction in
            let good = try await releases.latestGood(of: app, in: transaction)
            // A list that replaces starts from what was set last, deployed or not.
            let newest = mode == .replaceNamed ? try await configs.newest(of: app.uuid, in: transaction) : nil
            let base = newest?.document ?? good?.config.document ?? ConfigDocument()
            try NodeTags.check(change.tags, previous: base.tags)
            let document = try base.applying(change, mode: mode, structure: Set(app.structure.counts.keys))
            return (document, good)
        }
    }

    private func detach(_ groups: [String: [String]], _ member: AppMember) async throws {
        _ = try await release(member) { app, transaction in
            let good = try await releases.latestGood(of: app, in: transaction)
            let newest = try await configs.newest(of: app.uuid, in: transaction)
            return ((newest?.document ?? ConfigDocument()).detaching(groups), good)
        }
    }

    private func release(
        _ member: AppMember,
        _ change: (App, Transaction) async throws -> (ConfigDocument, ReleaseService.Assembled?)
    ) async throws -> Config {
        let made = try await database.withTransaction { transaction in
            guard let app = try await AppStore().lock(member.app.uuid, in: transaction) else {
                throw Refusal.notFound("App")
            }
            let (document, base) = try await change(app, transaction)
            return try await releases.release(
                config: document, from: base, of: app, .init(username: member.user.username), in: transaction)
        }
        log.write("config \(member.app.id) updated: \(made.release.summary)", to: member.app.id)
        return made.config
    }
}

/// Whether any node carries the labels asked for. On one machine the only node carries none.
enum NodeTags {
    /// - Throws: ``Refusal`` 400 with the sentence the command line recognises.
    static func check(
        _ tags: ConfigChange.Nested<String>, previous: [String: [String: String]], nodes: [[String: String]] = [[:]]
    ) throws(Refusal) {
        for (ptype, edit) in tags.sorted(by: { $0.key < $1.key }) {
            guard case .set(let members) = edit else { continue }
            let wanted = members.compactMapValues { member -> String? in
                guard case .set(let text) = member else { return nil }
                return text
            }
            guard !wanted.isEmpty,
                !nodes.contains(where: { node in wanted.allSatisfy { node[$0.key] == $0.value } })
            else { continue }
            let list = wanted.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ",")
            let cause = (previous[ptype] ?? [:]).isEmpty ? "" : " - Addition of \(list) is the cause"
            throw .invalid("No nodes matched the provided labels: \(list)\(cause)")
        }
    }
}

/// The wire form of a config.
enum ConfigWire {
    static func document(_ config: Config, _ app: App) -> JSONValue {
        let document = config.document
        return [
            "uuid": JSONValue(config.uuid), "app": .string(app.id.text), "values": .array(document.values.map(value)),
            "values_refs": .object(document.valuesRefs.mapValues { JSONValue($0) }),
            "limits": JSONValue(document.limits),
            "termination_grace_period": JSONValue(document.terminationGracePeriod),
            "tags": .object(document.tags.mapValues { JSONValue($0) }),
            "registry": .object(document.registry.mapValues { JSONValue($0) }),
            "healthcheck": .object(document.healthcheck.mapValues { .object($0) }),
            "lifecycle": .object(document.lifecycle.mapValues { .object($0) }),
            "created": JSONValue(config.created), "updated": JSONValue(config.updated),
        ]
    }

    private static func value(_ entry: ConfigValue) -> JSONValue {
        let scope: (String, String) =
            switch entry.scope {
            case .ptype(let name): ("ptype", name)
            case .group(let name): ("group", name)
            }
        return .object([
            scope.0: .string(scope.1), "name": .string(entry.name), "value": .string(entry.value),
        ])
    }
}
