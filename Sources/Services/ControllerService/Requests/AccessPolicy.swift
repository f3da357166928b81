/// Who may call a route. Every route is declared with one; a test walks the router and refuses routes without.
enum AccessPolicy: Sendable, Equatable {
    /// Anybody; rate limited by address.
    case open
    /// Anybody, in a rate limit of its own: a client asks every few seconds until a person has signed in.
    case loginPolling
    /// Anybody signed in.
    case signedIn
    /// Members of the app's workspace with at least this role, and operators.
    case app(Role)
    /// As `app`, but an app outside the caller's workspaces is hidden, from operators too.
    case appItself(Role)
    /// A machine whose access token has this scope.
    case scope(String)
    /// The handler itself checks credentials that are no token of ours.
    case ownCredentials
}

/// A scope of machine tokens.
enum MachineScope {
    static let hook = "controller:hook"
    static let routes = "controller:routes"
}
