import OpenSSLCrypto
import PlatformModel
import Synchronization

/// A push that has been let in: what its hook may do.
struct PushTicket: Sendable, Equatable {
    let id: String
    let user: String
    let fingerprint: String
    let peer: String
    let repository: String
    let app: AppName

    /// The ref namespace git writes to: it is empty, so everything kept is offered as known objects and no branch
    /// counts as
    /// up to date. The same commit can be pushed again.
    var namespace: String { "push-\(id)" }
}

/// The pushes under way, by the secret their hook shows.
final class PushTickets: Sendable {
    private let tickets = Mutex<[String: PushTicket]>([:])

    func issue(user: String, fingerprint: String, peer: String, repository: GitRepository) -> PushTicket {
        let ticket = PushTicket(
            id: SecureRandom.hex(16), user: user, fingerprint: fingerprint, peer: peer, repository: repository.path,
            app: repository.app)
        tickets.withLock { $0[ticket.id] = ticket }
        return ticket
    }

    subscript(id: String) -> PushTicket? { tickets.withLock { $0[id] } }

    func end(_ ticket: PushTicket) { tickets.withLock { $0[ticket.id] = nil } }
}
