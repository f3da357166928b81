import Logging
import PlatformModel
import SSHServer

/// Serves git commands that come over SSH.
struct GitGateway: SSHCommandHandler {
    let controller: ControllerClient
    let repositories: RepositoryStore
    let tickets: PushTickets
    let followUp: RunFollowUp
    let limits: SourceLimits
    let logger: Logger

    /// A push goes on this long without its client, which is enough to record it.
    private static let patience: Duration = .seconds(30)

    func respond(to request: SSHCommandRequest) async -> SSHResponse {
        if request.command == "ping" { return .reply(output: "pong", status: 0) }
        do throws(GitCommand.Refused) {
            return await serve(try GitCommand(parsing: request.command), request)
        } catch {
            return .reply(error: "\(error.message)\n", status: 1)
        }
    }

    private func serve(_ command: GitCommand, _ request: SSHCommandRequest) async -> SSHResponse {
        let user = request.identity.user
        do {
            var isReading = false
            if case .fetch = command { isReading = true }
            guard try await controller.allows(user, app: command.app, reading: isReading) else {
                return Self.refusal("user \(user) has no access to app \(command.app), or it does not exist")
            }
            let repository = try await repositories.repository(for: command.app)
            return isReading ? fetch(repository, request) : push(repository, request)
        } catch is CancellationError {
            return .reply(status: 1)
        } catch {
            logger.error("Git command not served", metadata: ["app": "\(command.app)", "error": "\(error)"])
            return Self.refusal("Workflow cannot serve this now, its controller does not answer; try again in a minute")
        }
    }

    /// A packet git clients print as `fatal: remote error: …`, before any advertisement.
    static func refusal(_ message: String) -> SSHResponse {
        .reply(output: PacketLine.text("ERR \(message)\n"), status: 1)
    }

    private func fetch(_ repository: GitRepository, _ request: SSHCommandRequest) -> SSHResponse {
        let options = [
            "uploadpack.hideRefs=refs/workflow", "uploadpack.hideRefs=refs/namespaces", "uploadpack.allowFilter=true",
        ]
        return .process(
            SSHChildProcess(
                executable: "/usr/bin/git",
                arguments: options.flatMap { ["-c", $0] } + ["upload-pack", "--strict", repository.path],
                environment: environment(request), workingDirectory: repository.path))
    }

    private func push(_ repository: GitRepository, _ request: SSHCommandRequest) -> SSHResponse {
        let ticket = tickets.issue(
            user: request.identity.user, fingerprint: request.identity.fingerprint, peer: request.peer,
            repository: repository)
        let options = [
            "core.hooksPath=\(repositories.hooks)", "receive.procReceiveRefs=refs/", "receive.unpackLimit=1",
            "receive.shallowUpdate=true", "receive.advertisePushOptions=true", "receive.autogc=false",
            "receive.fsckObjects=true", "receive.fsck.zeroPaddedFilemode=ignore", "receive.fsck.badTimezone=ignore",
            "receive.maxInputSize=\(limits.pushBytes)", "transfer.advertiseSID=false",
        ]
        var environment = environment(request)
        environment["GIT_NAMESPACE"] = ticket.namespace
        environment["BUILDER_HOOK_SOCKET"] = repositories.hookSocket
        environment["BUILDER_HOOK_TICKET"] = ticket.id
        var child = SSHChildProcess(
            executable: "/usr/bin/git", arguments: options.flatMap { ["-c", $0] } + ["receive-pack", repository.path],
            environment: environment, workingDirectory: repository.path, patienceWithoutClient: Self.patience,
            onExit: { _ in
                tickets.end(ticket)
                followUp.pushEnded(ticket)
            })
        child.onClientLost = { followUp.clientLost(ticket) }
        return .process(child)
    }

    private func environment(_ request: SSHCommandRequest) -> [String: String] {
        var environment = GitRepository.environment
        environment["PATH"] = "/usr/local/bin:/usr/bin:/bin"
        environment["LC_ALL"] = "C.UTF-8"
        environment["GIT_PROTOCOL"] = request.gitProtocol
        return environment
    }
}
