import ArgumentParser
import CommandRunner
import Foundation
import Glibc
import ServiceRuntime

/// `workflow down`: stops everything; with `--remove`, deletes the installation.
struct DownCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "down", abstract: "Stop the platform and its apps; nothing is lost.")

    @OptionGroup var options: StateOptions
    @Flag(help: "Delete the installation with all apps, images and databases.") var remove = false
    @Flag(name: .shortAndLong, help: "With --remove: do not ask.") var yes = false

    func run() async throws {
        try await reportingErrors {
            let (state, settings) = try options.installed()
            try await stop(state, settings)
            if remove { try await removeAll(state, settings) }
        }
    }

    private func stop(_ state: StateDirectory, _ settings: Settings) async throws {
        let clock = ContinuousClock()
        let began = clock.now
        let engine = ContainerEngine(state: state)
        if let supervisor = try Running.supervisor(of: state) {
            Console.say("Stopping the platform (supervisor \(supervisor.pid)) ...")
            supervisor.send(signal: SIGTERM)
            guard try await supervisor.waitForExit(within: .seconds(180)) else {
                throw OperatorError("the supervisor does not stop", next: "workflow logs supervisor")
            }
        }
        let orphans = try await Orphans(state: state, logger: SupervisorLog.logger()).stopAll()
        if !orphans.isEmpty { Console.say("Stopped what a killed supervisor left: \(orphans.joined(separator: ", "))") }
        if engine.isPrepared { _ = try await engine.stopContainers() }
        try await stopEdge(state)
        let leftovers = try await Leftovers(state: state).stopAll()
        if !leftovers.isEmpty { Console.say("Stopped what no record told of: \(leftovers.joined(separator: ", "))") }
        try await engine.releaseAddresses()
        Console.say(
            "Stopped after \(ProgressEvent.seconds((clock.now - began).milliseconds)). State is kept in \(state.root).")
    }

    /// nginx outlives a killed router; nothing else would stop it now.
    private func stopEdge(_ state: StateDirectory) async throws {
        guard let text = try StateFile.readText("\(state.nginx)/nginx.pid"), let pid = Int32(text.filter(\.isNumber)),
            let master = ProcessIdentity(pid: pid), master.arguments.joined(separator: " ").contains(state.nginx)
        else { return }
        try await master.stop(patience: .seconds(10), signal: SIGQUIT)
    }

    private func removeAll(_ state: StateDirectory, _ settings: Settings) async throws {
        let size = try await CommandRunner.check(Command("du", ["-sh", "--one-file-system", state.root])).text
        Console.say(
            "This deletes \(size.replacing("\t", with: "  ")): every app, release, image, key, database and log.")
        guard yes || confirmed() else {
            throw OperatorError("nothing was removed", next: "workflow down --remove --yes")
        }
        let engine = ContainerEngine(state: state)
        try await engine.removeAll()
        // Containers that could not be listed any more are gone with their monitors.
        _ = try await Leftovers(state: state).stopAll()
        if let hosts = settings.hostsFile { try HostsFile(path: hosts, owner: state.root).update(names: []) }
        try await CommandRunner.check(
            Command("rm", ["-rf", "--one-file-system", "--", state.root], deadline: .seconds(300)))
        Console.say("Removed \(state.root).")
    }

    private func confirmed() -> Bool {
        guard isatty(STDIN_FILENO) == 1 else { return false }
        Console.say("Type yes to go on:")
        return readLine() == "yes"
    }
}
