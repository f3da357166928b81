import HTTPTypes
import OCIRegistry

/// Actions on one resource, in the scope grammar of registry tokens: `repository:shop/shop:pull,push`.
struct ResourceAccess: Hashable, Sendable {
    /// What may be done to a repository; `all` is the only action of the catalog.
    enum Action: String, Hashable, Sendable {
        case pull
        case push
        case delete
        /// Keeping manifests from going, and ending that.
        case hold
        case all = "*"
    }

    let type: String
    let name: String
    let actions: [Action]

    static func repository(_ name: RepositoryName, _ actions: Action...) -> Self {
        Self(type: "repository", name: "\(name)", actions: actions)
    }

    static let catalog = Self(type: "registry", name: "catalog", actions: [.all])

    /// The scope a client has to ask its token server for.
    var scope: String { "\(type):\(name):\(actions.map(\.rawValue).joined(separator: ","))" }
}

/// What a caller may do.
enum AccessGrant: Sendable {
    /// Everything: authentication is off, or knows no finer rights.
    case everything
    /// Exactly these actions.
    case only([ResourceAccess])

    /// Whether every action of `needed` is granted, each by some entry for the same resource.
    func covers(_ needed: ResourceAccess) -> Bool {
        switch self {
        case .everything: true
        case .only(let entries):
            needed.actions.allSatisfy { action in
                entries.contains { entry in
                    entry.type == needed.type && entry.name == needed.name
                        && (entry.actions.contains(action) || entry.actions.contains(.all))
                }
            }
        }
    }
}

extension RegistryResource {
    /// What a caller needs for a method on the resource. Exhaustive, so no path is without a policy.
    ///
    /// Cancelling an upload is part of pushing. A mount additionally reads its source, which is checked where it
    /// happens: without that right the mount is silently an ordinary upload.
    func access(_ method: HTTPRequest.Method) -> [ResourceAccess] {
        switch self {
        case .base, .extensions: []
        case .catalog: [.catalog]
        case .uploads(let name), .upload(let name, _): [.repository(name, .pull, .push)]
        case .hold(let name, _): [.repository(name, .hold)]
        case .blob(let name, _), .manifest(let name, _), .tags(let name), .referrers(let name, _), .holds(let name):
            switch method {
            case .get, .head: [.repository(name, .pull)]
            case .delete: [.repository(name, .delete)]
            default: [.repository(name, .pull, .push)]
            }
        }
    }
}
