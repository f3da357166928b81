import CommandRunner
import FoundationEssentials
import Glibc
import PlatformModel
import ServiceRuntime

/// The installation's own PostgreSQL server: its cluster, settings, roles and databases.
struct PostgresCluster: Sendable {
    let state: StateDirectory
    let port: Int
    /// The user the server runs as; also the name of its superuser.
    let user: SystemUser
    /// Where initdb, postgres and psql are.
    let programs: String

    /// - Throws: ``OperatorError`` when PostgreSQL is not installed.
    init(state: StateDirectory, port: Int) throws {
        self.state = state
        self.port = port
        guard let programs = Self.newestPrograms() else {
            throw OperatorError("PostgreSQL is not installed", next: "apt-get install postgresql")
        }
        self.programs = programs
        guard let user = geteuid() == 0 ? SystemUser(named: "postgres") : .current else {
            throw OperatorError("there is no user postgres on this machine", next: "apt-get install postgresql")
        }
        self.user = user
    }

    private var data: String { "\(state.postgres)/data" }
    private var sockets: String { "\(state.postgres)/socket" }

    /// The folder of programs of the highest version installed.
    static func newestPrograms(root: String = "/usr/lib/postgresql") -> String? {
        let versions: [String]
        do {
            versions = try FileManager.default.contentsOfDirectory(atPath: root)
        } catch {
            // No folder means no PostgreSQL, which the caller reports.
            return nil
        }
        return versions.compactMap { Int($0) }.sorted(by: >).map { "\(root)/\($0)/bin" }
            .first { access("\($0)/postgres", X_OK) == 0 }
    }

    /// Makes the cluster once and writes its settings each time.
    func prepare() async throws {
        for path in [state.postgres, sockets] {
            try StateFile.makeDirectory(path, mode: 0o755)
            try user.own(path)
        }
        if access("\(data)/PG_VERSION", F_OK) != 0 { try await initialise() }
        let include = "include 'workflow.conf'"
        let main = try StateFile.readText("\(data)/postgresql.conf") ?? ""
        if !main.contains(include) { try writeOwned("\(main)\n\(include)\n", "\(data)/postgresql.conf") }
        try writeOwned(settings, "\(data)/workflow.conf")
        try writeOwned(accessRules, "\(data)/pg_hba.conf")
        try forgetEndedServer()
    }

    /// Makes lock files of a server that was killed name no process.
    ///
    /// Its number may belong to another process meanwhile, or to one that has ended and waits for its parent, and
    /// PostgreSQL would not start. By the other lines it sees for itself whether something still uses the data.
    private func forgetEndedServer() throws {
        for path in ["\(data)/postmaster.pid", "\(sockets)/.s.PGSQL.\(port).lock"] {
            guard let text = try StateFile.readText(path) else { continue }
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            guard let pid = lines.first.flatMap({ Int32($0) }),
                ProcessIdentity(pid: pid)?.arguments.contains(data) != true
            else { continue }
            try writeOwned(([String(Int32.max)] + lines.dropFirst()).joined(separator: "\n"), path)
        }
    }

    private func initialise() async throws {
        // A folder a killed initdb left half made is of no use to anybody.
        if access(data, F_OK) == 0 { try FileManager.default.removeItem(atPath: data) }
        var command = Command(
            "\(programs)/initdb",
            [
                "--pgdata", data, "--username", user.name, "--encoding", "UTF8", "--locale", "C.UTF-8", "--auth",
                "reject",
            ],
            workingDirectory: state.postgres, deadline: .seconds(120))
        command.identity = user.identity
        try await CommandRunner.check(command)
    }

    private var settings: String {
        """
        # Written at every start of the platform.
        listen_addresses = '127.0.0.1'
        port = \(port)
        unix_socket_directories = '\(sockets)'
        unix_socket_permissions = 0777
        max_connections = 200
        shared_buffers = 128MB
        log_line_prefix = '%m [%p] %q%u@%d '
        log_timezone = 'UTC'
        timezone = 'UTC'

        """
    }

    /// The superuser comes in by its system user alone; everybody else needs a password, also on the socket.
    private var accessRules: String {
        """
        # Written at every start of the platform.
        local all \(user.name) peer
        local all all scram-sha-256
        host all \(user.name) all reject
        host all all 127.0.0.1/32 scram-sha-256

        """
    }

    private func writeOwned(_ text: String, _ path: String) throws {
        try StateFile.write(text, to: path, mode: 0o600)
        try user.own(path)
    }

    func plan() -> ProcessPlan {
        var server = Command(
            "\(programs)/postgres", ["-D", data], workingDirectory: state.postgres, grace: .seconds(20))
        server.identity = user.identity
        let ready = Command(
            "\(programs)/pg_isready", ["--quiet", "--host", "127.0.0.1", "--port", "\(port)"], deadline: .seconds(5))
        var plan = ProcessPlan(name: "postgres", command: server, readiness: .command(ready))
        plan.address = "127.0.0.1:\(port)"
        // The fast shutdown: sessions end, the checkpoint is written.
        plan.stopSignal = SIGINT
        plan.tier = .infrastructure
        return plan
    }

    /// The address a service reaches its own database at.
    func url(database: String, password: Secret) -> Secret {
        Secret("postgresql://\(database):\(password.reveal())@127.0.0.1:\(port)/\(database)")
    }

    /// Makes a role of the database's name with this password, and the database; repeats without harm.
    func ensureDatabase(_ name: String, password: Secret) async throws {
        let role = """
            SELECT 'CREATE ROLE \(name) LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '\(name)')\\gexec
            ALTER ROLE \(name) PASSWORD '\(password.reveal())';
            SELECT 'CREATE DATABASE \(name) OWNER \(name)'
             WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '\(name)')\\gexec
            REVOKE CONNECT ON DATABASE \(name) FROM PUBLIC;
            """
        try await query(role)
    }

    /// Runs statements as the superuser.
    @discardableResult
    func query(_ statements: String, database: String = "postgres") async throws -> String {
        var command = Command(
            "\(programs)/psql",
            [
                "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", "--host", sockets,
                "--port", "\(port)", "--username", user.name, "--dbname", database, "--file", "-",
            ], workingDirectory: state.postgres, standardInput: Array(statements.utf8), deadline: .seconds(30))
        command.identity = user.identity
        return try await CommandRunner.check(command).text
    }
}
