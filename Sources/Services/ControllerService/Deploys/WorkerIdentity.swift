import FoundationEssentials
import OpenSSLCrypto

/// The name under which a worker holds leases: says which process of which machine it is, so that another worker there
/// can tell whether it still lives.
struct WorkerIdentity: Sendable, Equatable {
    let text: String
    /// Where process numbers mean the same: this machine since its start, this name space. Nil when the system does not
    /// tell; then nobody is known to be dead, and leases end by their time.
    private let place: String?

    init() {
        place = Self.currentPlace()
        let number = "\(ProcessInfo.processInfo.processIdentifier)"
        let birth = Self.birth(ofProcess: number) ?? "0"
        text = "worker \(place ?? "-") \(number) \(birth) \(SecureRandom.hex(4))"
    }

    /// Whether the process behind another worker's name has ended. Unknown names and other machines' count as living.
    func knowsToBeDead(_ other: String) -> Bool {
        let parts = other.split(separator: " ").map(String.init)
        guard let place, parts.count == 5, parts[0] == "worker", parts[1] == place, Int(parts[2]) != nil else {
            return false
        }
        return Self.birth(ofProcess: parts[2]) != parts[3]
    }

    private static func currentPlace() -> String? {
        do {
            let machine = try String(contentsOfFile: "/proc/sys/kernel/hostname", encoding: .utf8)
            let start = try String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
            let space = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/pid")
            return [machine, start, space].map { $0.filter { !$0.isWhitespace } }.joined(separator: "/")
        } catch {
            return nil
        }
    }

    /// The clock tick at which a process began, which with its number names it for good; nil when it does not live.
    ///
    /// `/proc/<pid>/stat` has the state two fields behind the program's name, which may itself hold anything, and the
    /// beginning twenty behind it (proc(5)).
    private static func birth(ofProcess number: String) -> String? {
        let line: String
        do {
            line = try String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8)
        } catch {
            return nil
        }
        guard let end = line.lastIndex(of: ")") else { return nil }
        let fields = line[line.index(after: end)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
        return String(fields[19])
    }
}
