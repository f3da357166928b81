import Logging
import PlatformModel
import SSHServer

/// Asks the controller whose key it is.
struct KeyDirectory: SSHAuthorizer {
    let controller: ControllerClient
    let logger: Logger

    func authorize(_ key: SSHOfferedKey) async -> SSHAuthorization {
        do {
            if let user = try await controller.owner(ofKey: key.sha256) { return .known(user: user) }
            if let user = try await controller.owner(ofKey: key.md5) { return .known(user: user) }
            return .unknown
        } catch is CancellationError {
            return .unavailable("")
        } catch {
            logger.warning("Key not looked up", metadata: ["error": "\(error)"])
            return .unavailable(
                "Workflow cannot check keys at the moment: its controller does not answer. Try again.\n")
        }
    }

    func refusal(of keys: [SSHOfferedKey]) -> String {
        guard !keys.isEmpty else {
            return
                "Workflow takes SSH keys only and none was offered. "
                + "Add one with: drycc keys add ~/.ssh/id_ed25519.pub\n"
        }
        let list = keys.prefix(5).map { "  \($0.type) \($0.sha256)\n" }.joined()
        return "Workflow does not know any key your SSH client offered:\n\(list)"
            + "Add your key with: drycc keys add ~/.ssh/id_ed25519.pub\n"
    }
}
