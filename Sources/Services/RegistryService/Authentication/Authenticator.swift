/// Why credentials were not accepted.
enum AuthenticationProblem: Error, Hashable, Sendable {
    /// None were sent.
    case missing
    /// They are malformed, wrong, expired or not meant for this registry.
    case invalid
    /// They are good but do not allow this.
    case insufficient
}

/// Decides who calls and what they may do.
protocol Authenticator: Sendable {
    /// What the caller who sent this `Authorization` field may do.
    ///
    /// - Throws: ``AuthenticationProblem``.
    func authenticate(_ authorization: String?) async throws -> AccessGrant

    /// What ``authenticate(_:)`` is known to grant, without waiting; nil when it has to be asked.
    func recall(_ authorization: String?) -> AccessGrant?

    /// The `WWW-Authenticate` field that tells a client how to come back with enough rights.
    func challenge(_ needed: [ResourceAccess], after problem: AuthenticationProblem) -> String
}

/// Lets everybody do everything.
struct OpenAccess: Authenticator {
    func authenticate(_ authorization: String?) -> AccessGrant { .everything }
    func recall(_ authorization: String?) -> AccessGrant? { .everything }

    func challenge(_ needed: [ResourceAccess], after problem: AuthenticationProblem) -> String { "Basic" }
}
