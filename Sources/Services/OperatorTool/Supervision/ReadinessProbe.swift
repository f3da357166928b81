import CommandRunner
import ConcurrencyPrimitives
import CurlTransfer
import Glibc

/// Asks servers whether they are ready.
struct ReadinessProbe: Sendable {
    let client: HTTPClient
    private let threads = BlockingThreads(label: "probe", count: 2, queueLimit: 64)

    init(client: HTTPClient) { self.client = client }

    /// One question, answered within a few seconds. Any failure means "not yet".
    func isReady(_ readiness: ProcessPlan.Readiness) async throws -> Bool {
        do {
            switch readiness {
            case .http(let url):
                return try await client.send(TransferRequest(url: url, timeout: .seconds(5))).isSuccess
            case .unixSocket(let socket, let path):
                let request = TransferRequest(url: "http://local\(path)", unixSocket: socket, timeout: .seconds(5))
                return try await client.send(request).isSuccess
            case .command(let command):
                return try await CommandRunner.run(command).exit.isSuccess
            case .tcp(let port):
                return try await threads.run { LoopbackProbe.exchange(port: port, sending: [], expecting: nil) }
            case .amqp(let port):
                // A broker that has booted answers the protocol header with a method frame (type 1).
                let header: [UInt8] = Array("AMQP".utf8) + [0, 0, 9, 1]
                return try await threads.run { LoopbackProbe.exchange(port: port, sending: header, expecting: 1) }
            }
        } catch let error as CancellationError {
            throw error
        } catch {
            return false
        }
    }
}

/// A short exchange with a server on the loopback address.
enum LoopbackProbe {
    /// Connects, sends `bytes` and compares the first byte of the answer; nil expects no answer.
    static func exchange(port: Int, sending bytes: [UInt8], expecting first: UInt8?) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: 3, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard connected else { return false }
        guard let first else { return true }
        var answer: UInt8 = 0
        return send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
            && recv(descriptor, &answer, 1, 0) == 1 && answer == first
    }
}
