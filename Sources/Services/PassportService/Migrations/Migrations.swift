import Postgres

/// Passport's schema, in order.
enum Migrations {
    /// "passport" in ASCII; distinguishes passport's migrations from others on one server.
    static let lockKey = 0x7061_7373_706f_7274

    static let all = [M0001_InitialSchema.migration]
}
