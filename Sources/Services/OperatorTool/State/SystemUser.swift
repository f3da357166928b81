import CommandRunner
import Glibc

/// A user of this machine, by name.
struct SystemUser: Hashable, Sendable {
    let name: String
    let id: UInt32
    let group: UInt32

    /// nil when the machine has no such user.
    init?(named name: String) {
        guard let entry = getpwnam(name) else { return nil }
        self.name = name
        id = entry.pointee.pw_uid
        group = entry.pointee.pw_gid
    }

    /// The user this process runs as.
    static var current: SystemUser? {
        guard let entry = getpwuid(geteuid()) else { return nil }
        return SystemUser(named: String(cString: entry.pointee.pw_name))
    }

    var identity: Command.Identity { Command.Identity(user: id, group: group) }

    /// Gives a path to this user; only root may, and only root needs to.
    func own(_ path: String) throws {
        guard geteuid() == 0 else { return }
        guard chown(path, id, group) == 0 else {
            throw OperatorError("\(path) could not be given to \(name): \(String(cString: strerror(errno)))")
        }
    }
}
