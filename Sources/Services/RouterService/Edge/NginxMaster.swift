package import CommandRunner
import FoundationEssentials
import Glibc
package import Logging
import OpenSSLCrypto
import ServiceRuntime

/// The one nginx master of this edge, started by us or left behind by a router that was killed.
///
/// nginx runs as a daemon of its own, so that the traffic survives a router's death; the router recognises it by the
/// pid file, the process's start and its command line.
package actor NginxMaster {
    /// nginx could not be brought to the wanted configuration.
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private let program: String
    private let settings: EdgeSettings
    private let logger: Logger
    private var paths: EdgePaths { settings.paths }

    package init(program: String, settings: EdgeSettings, logger: Logger) {
        self.program = program
        self.settings = settings
        self.logger = logger
    }

    /// The script with the moving part of the edge, as it stands in the source tree.
    private static var script: [UInt8] { PackageResources.edge_lua }

    private var configuration: String {
        NginxConfiguration(settings).render() + "# script \(SHA256Digest.hex(Self.script).prefix(16))\n"
    }

    /// Makes the folders and their permissions. Safe to repeat.
    package func prepare() throws {
        try StateFile.makeDirectory(paths.directory, mode: 0o755)
        try StateFile.makeDirectory(paths.scriptDirectory, mode: 0o755)
        try StateFile.makeDirectory(paths.controlDirectory, mode: 0o700)
        try StateFile.makeDirectory(paths.temporary, mode: 0o755)
    }

    /// Brings nginx to the wanted configuration and returns its master.
    ///
    /// A running master with the same configuration is adopted as it is, one with another is reloaded; otherwise a new
    /// one is started. The candidate is tested by nginx before anything changes.
    package func ensureRunning() async throws -> ProcessIdentity {
        if let master = running() {
            if try StateFile.readText(paths.configuration) == configuration {
                logger.notice("Adopted a running nginx", metadata: ["pid": "\(master.pid)"])
                return master
            }
            try await install()
            master.send(signal: SIGHUP)
            logger.notice("Reloaded nginx with a new configuration", metadata: ["pid": "\(master.pid)"])
            return master
        }
        // Workers of a master that was killed serve until the last moment.
        try await install()
        try await dismissOrphanedWorkers()
        try StateFile.remove(paths.controlSocket)
        do {
            return try await start()
        } catch let failure as Failure {
            // A worker just begun by the master that was killed may have missed the first signal and hold the ports.
            logger.warning("nginx is started once more", metadata: ["error": "\(failure)"])
            try await dismissOrphanedWorkers()
            return try await start()
        }
    }

    /// Ends nginx: first gracefully, then at once.
    package func stop(patience: Duration) async throws {
        let pid = recordedPID()
        if let master = running() {
            master.send(signal: SIGQUIT)
            if try await !master.waitForExit(within: patience) { try await master.stop(patience: .seconds(3)) }
        }
        // A master that had to be killed, by us or by somebody before, leaves its workers.
        for worker in workers(of: pid) { try await worker.stop(patience: .seconds(1)) }
    }

    /// Makes nginx open its log files again after they were moved.
    package func reopenLogs() { running()?.send(signal: SIGUSR1) }

    /// The master named by the pid file, if it is alive and ours.
    package func running() -> ProcessIdentity? {
        guard let pid = recordedPID(), let identity = ProcessIdentity(pid: pid) else { return nil }
        let line = identity.arguments.joined(separator: " ")
        return line.contains("nginx: master process") && line.contains(paths.configuration) ? identity : nil
    }

    private func recordedPID() -> Int32? {
        do {
            guard let text = try StateFile.readText(paths.processID) else { return nil }
            return Int32(text.filter(\.isNumber))
        } catch {
            logger.warning("The pid file of nginx cannot be read", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Workers outlive a killed master and keep its ports. Told to quit they give the ports free and finish what they
    /// are serving.
    /// Returns when the ports are free, for nginx tries a port that is taken again only after half a second.
    private func dismissOrphanedWorkers() async throws {
        let workers = workers(of: recordedPID())
        for worker in workers {
            logger.warning("Dismissing a worker whose master is gone", metadata: ["pid": "\(worker.pid)"])
            worker.send(signal: SIGQUIT)
        }
        // A worker takes this name on just before it closes its listeners.
        let end = ContinuousClock.now + .seconds(2)
        while workers.contains(where: { $0.isAlive && !$0.arguments.joined().contains("shutting down") }),
            ContinuousClock.now < end
        {
            // Another process's name is no event one could wait for.
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// The workers of a master, which leads their session, whether or not it still runs.
    private func workers(of master: Int32?) -> [ProcessIdentity] {
        guard let master else { return [] }
        return ProcessIdentity.members(ofSession: master).filter {
            $0.arguments.first?.hasPrefix("nginx: worker") == true
        }
    }

    /// Lets nginx test the configuration and puts it in place.
    private func install() async throws {
        try StateFile.write(Self.script, to: paths.script, mode: 0o644)
        try StateFile.write(configuration, to: paths.candidate, mode: 0o644)
        let result = try await CommandRunner.run(
            Command(
                program, ["-t", "-q", "-p", paths.directory, "-e", paths.errorLog, "-c", paths.candidate],
                deadline: .seconds(20)))
        guard result.exit.isSuccess else {
            throw Failure(description: "nginx refused the configuration: \(result.errorText)")
        }
        guard rename(paths.candidate, paths.configuration) == 0 else {
            throw StateFile.Failure(path: paths.configuration, errno: errno)
        }
    }

    private func start() async throws -> ProcessIdentity {
        let result = try await CommandRunner.run(
            Command(
                program, ["-p", paths.directory, "-e", paths.errorLog, "-c", paths.configuration],
                deadline: .seconds(20)))
        guard result.exit.isSuccess else {
            throw Failure(description: "nginx did not start: \(result.errorText)")
        }
        // The daemon's parent exits a moment before the daemon has written its number.
        for _ in 0..<200 {
            if let master = running() {
                logger.notice("Started nginx", metadata: ["pid": "\(master.pid)"])
                return master
            }
            try await Task.sleep(for: .milliseconds(10))
        }
        throw Failure(description: "nginx started and ended at once; see \(paths.errorLog)")
    }
}
