import FoundationEssentials
import Logging
import OpenSSLCrypto
import PlatformModel
import Postgres
import ServiceHTTP
import ServiceRuntime

/// The command line of passport.
package enum PassportCommand {
    /// Carries out the command and exits the process.
    ///
    /// - `serve` (default): brings the schema up to date and serves.
    /// - `migrate`: brings the schema up to date.
    /// - `create-admin`, `create-user`: `--username NAME --email ADDRESS`, the password on standard input.
    /// - `set-password`: `--username NAME`, the new password on standard input; ends the person's sessions and tokens.
    /// - `rotate-keys [--now]`: adds signing keys and lets the present ones run out.
    package static func run(arguments: [String]) async -> Never {
        switch arguments.first ?? "serve" {
        case "serve": await serve()
        case "migrate":
            await ServiceProcess.command(name: "passport") { reader, process in
                try await withDatabase(&reader, process) { _ in }
            }
        case "create-admin": await createUser(arguments, isAdministrator: true)
        case "create-user": await createUser(arguments, isAdministrator: false)
        case "set-password": await setPassword(arguments)
        case "rotate-keys": await rotateKeys(now: arguments.contains("--now"))
        case let other:
            await ServiceProcess.command(name: "passport") { _, _ in
                throw CommandError(
                    "unknown command \(other): "
                        + "use serve, migrate, create-admin, create-user, set-password or rotate-keys"
                )
            }
        }
    }

    private static func serve() async -> Never {
        await ServiceProcess.run(name: "passport") { reader, process in
            let configuration = PassportConfiguration(reader: &reader)
            try reader.validate()
            let pool = makePool(configuration.database, process)
            let passport = try await Passport(
                configuration: configuration, pool: pool, logger: process.logger, metrics: process.metrics,
                drain: process.drain)
            return [
                .init("postgres", pool), .init("keys", passport.keyRing), .init("housekeeping", passport.housekeeping),
                .init(
                    "http",
                    HTTPService(router: passport.router, listen: configuration.listen, logger: process.logger)),
            ]
        }
    }

    private static func createUser(_ arguments: [String], isAdministrator: Bool) async -> Never {
        await ServiceProcess.command(name: "passport") { reader, process in
            let user = NewUser(
                username: try option("--username", in: arguments), email: try option("--email", in: arguments),
                isAdministrator: isAdministrator)
            try await withDatabase(&reader, process) { pool in
                if try await UserStore().credentials(username: user.username, in: pool) != nil {
                    print("exists")
                    return
                }
                let password = readLine(strippingNewline: true) ?? ""
                try AccountRules.check(user, password: password, allowsReserved: true)
                let record = try await PasswordHash(threads: 1).create(password)
                do {
                    _ = try await UserStore().add(user, password: record, at: Date(), in: pool)
                } catch let error as AccountError where error == .usernameTaken {
                    print("exists")
                }
            }
        }
    }

    private static func setPassword(_ arguments: [String]) async -> Never {
        await ServiceProcess.command(name: "passport") { reader, process in
            let username = try option("--username", in: arguments)
            try await withDatabase(&reader, process) { pool in
                guard let (user, _) = try await UserStore().credentials(username: username, in: pool) else {
                    throw CommandError("there is no user \(username)")
                }
                let password = readLine(strippingNewline: true) ?? ""
                try AccountRules.check(password: password, username: user.username, email: user.email)
                let record = try await PasswordHash(threads: 1).create(password)
                try await UserStore().replacePassword(
                    record, of: user.id, reason: "password set by operator", at: Date(), in: pool)
            }
        }
    }

    private static func rotateKeys(now isImmediate: Bool) async -> Never {
        await ServiceProcess.command(name: "passport") { reader, process in
            let key = reader.secret("PLATFORM_KEY")
            let lifetimes = Lifetimes(reader: &reader)
            try await withDatabase(&reader, process) { pool in
                let store = SigningKeyStore(box: try AESGCMBox(base64Key: key.reveal()))
                let rotation = KeyRotation(lifetimes: lifetimes, isImmediate: isImmediate, at: Date())
                let ids = try await store.rotate(
                    at: rotation.time, signsFrom: rotation.signsFrom, publishedUntil: rotation.publishedUntil, in: pool)
                print("new keys: \(ids.joined(separator: " ")), signing from \(rotation.signsFrom.wire)")
            }
        }
    }

    private static func withDatabase(
        _ reader: inout ConfigurationReader, _ process: ServiceProcess, _ body: (PostgresPool) async throws -> Void
    ) async throws {
        let settings = DatabaseSettings(reader: &reader)
        try reader.validate()
        let pool = makePool(settings, process)
        defer { pool.close() }
        try await Migrator(migrations: Migrations.all, lockKey: Migrations.lockKey).run(pool, logger: process.logger)
        try await body(pool)
    }

    private static func makePool(_ settings: DatabaseSettings, _ process: ServiceProcess) -> PostgresPool {
        PostgresPool(
            configuration: .init(url: settings.url, size: settings.poolSize, applicationName: "passport"),
            logger: process.logger)
    }

    private static func option(_ name: String, in arguments: [String]) throws -> String {
        guard let index = arguments.firstIndex(of: name), index + 1 < arguments.count else {
            throw CommandError("\(name) is missing")
        }
        return arguments[index + 1]
    }
}

/// A command line that cannot be carried out.
struct CommandError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
