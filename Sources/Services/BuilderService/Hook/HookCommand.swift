import FoundationEssentials
import Glibc

/// git's proc-receive hook: carries the push's refs to the builder and its lines back to the pusher.
///
/// Started by git under the hook's name. It decides nothing, so the build belongs to the builder's process and not to
/// the connection.
enum HookCommand {
    /// The hook of git-receive-pack(1) that decides about refs.
    static let name = "proc-receive"

    struct Failure: Error {
        let message: String
    }

    /// Runs the hook and answers its exit status.
    static func run() -> Int32 {
        do {
            let (request, refs) = try readRequest()
            let verdicts = try exchange(request)
            writeVerdicts(verdicts, of: refs)
            return 0
        } catch let failure as Failure {
            writeError(failure.message)
        } catch {
            writeError("The push was not understood: \(error)")
        }
        return 1
    }

    // MARK: git's side

    /// - Returns: the push, and the names of its refs as the client sent them, which may be any bytes.
    private static func readRequest() throws -> (HookRequest, [[UInt8]]) {
        let features = try readSection()
        guard let version = features.first.map(text), version.hasPrefix("version=1") else {
            throw Failure(message: "This git speaks another version of the hook's protocol.")
        }
        let hasOptions = version.contains("push-options")
        writeOut(PacketLine.text("version=1\0" + (hasOptions ? "push-options" : "")) + PacketLine.flush)
        var refs: [[UInt8]] = []
        let changes = try readSection().map { line in
            let parts = line.split(separator: UInt8(ascii: " "), maxSplits: 2).map { Array($0) }
            guard parts.count == 3 else { throw PacketLine.Malformed() }
            refs.append(parts[2])
            return HookRequest.RefChange(old: text(parts[0]), new: text(parts[1]), ref: text(parts[2]))
        }
        let options = hasOptions ? try readSection().map(text) : []
        let environment = ProcessInfo.processInfo.environment
        let request = HookRequest(
            ticket: environment["BUILDER_HOOK_TICKET"] ?? "", changes: changes, options: options,
            isShallow: environment["GIT_SHALLOW_FILE"].map { !$0.isEmpty } ?? false)
        return (request, refs)
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func readSection() throws -> [[UInt8]] {
        var lines: [[UInt8]] = []
        while let length = try PacketLine.payloadLength(readExactly(4)) {
            var line = try readExactly(length)
            if line.last == UInt8(ascii: "\n") { line.removeLast() }
            lines.append(line)
            guard lines.count < 10_000 else { throw PacketLine.Malformed() }
        }
        return lines
    }

    private static func readExactly(_ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: max(1, count))
        while bytes.count < count {
            let taken = read(STDIN_FILENO, &buffer, count - bytes.count)
            guard taken > 0 else { throw PacketLine.Malformed() }
            bytes += buffer.prefix(taken)
        }
        return bytes
    }

    /// The verdicts come in the order of the refs.
    private static func writeVerdicts(_ verdicts: [HookReply.Verdict], of refs: [[UInt8]]) {
        var bytes: [UInt8] = []
        for (verdict, ref) in zip(verdicts, refs) {
            if let refusal = verdict.refusal {
                bytes += PacketLine.bytes(Array("ng ".utf8) + ref + Array(" \(refusal)\n".utf8))
            } else {
                bytes += PacketLine.bytes(Array("ok ".utf8) + ref + [UInt8(ascii: "\n")])
                if verdict.fallsThrough { bytes += PacketLine.bytes(Array("option fall-through\n".utf8)) }
            }
        }
        writeAll(bytes + Array(PacketLine.flush.utf8), to: STDOUT_FILENO)
    }

    private static func writeOut(_ text: String) { writeAll(Array(text.utf8), to: STDOUT_FILENO) }

    private static func writeError(_ text: String) { writeAll(Array((text + "\n").utf8), to: STDERR_FILENO) }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            // git is gone; the builder goes on without us.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    // MARK: The builder's side

    private static func exchange(_ request: HookRequest) throws -> [HookReply.Verdict] {
        let path = ProcessInfo.processInfo.environment["BUILDER_HOOK_SOCKET"] ?? ""
        let connection = try connect(to: path)
        defer { close(connection) }
        writeAll(Array(try JSONEncoder().encode(request)) + [UInt8(ascii: "\n")], to: connection)
        var pending: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(connection, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                throw Failure(
                    message: "The builder has stopped. If the build had begun, it goes on: see the app's releases.")
            }
            pending += buffer.prefix(count)
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                let reply = try JSONDecoder().decode(HookReply.self, from: Data(pending[..<end]))
                pending.removeSubrange(...end)
                if let text = reply.text { writeError(text) }
                if let verdicts = reply.verdicts { return verdicts }
            }
        }
    }

    private static func connect(to path: String) throws -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw Failure(message: "The builder's socket path is too long.")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let connection = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(connection, $0, size) }
        }
        guard connection >= 0, code == 0 else {
            throw Failure(message: "The builder does not answer. Push again in a moment.")
        }
        return connection
    }
}
