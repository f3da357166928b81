import ConcurrencyPrimitives
import CurlTransfer
import HTTPTypes
import NIOCore
import NIOPosix
import PodmanClient

/// Asks a process whether it works, from this machine against the process's own address.
struct ProbeRunner: Sendable {
    /// What one question brought.
    enum Outcome: Sendable, Equatable {
        /// Good, with the words for the push output.
        case passed(String)
        /// Bad, with what was seen.
        case failed(String)

        /// What was seen when it was bad.
        var failure: String? {
            if case .failed(let seen) = self { return seen }
            return nil
        }
    }

    let http: HTTPClient
    let podman: PodmanClient

    /// Asks once; every failure of the process is an outcome, only cancellation is thrown.
    func ask(_ action: Probe.Action, pod: PodName, address: String?, timeout: Duration) async throws -> Outcome {
        let clock = ContinuousClock()
        let start = clock.now
        let seen: Outcome
        switch action {
        case .http(let path, let port, let headers):
            guard let address else { return .failed("the process has no address") }
            seen = try await get(path, "\(address):\(port)", headers, timeout)
        case .tcp(let port):
            guard let address else { return .failed("the process has no address") }
            seen = try await connect(address, port, timeout)
        case .exec(let command):
            seen = try await run(command, in: pod, timeout)
        }
        guard case .passed(let text) = seen else { return seen }
        return .passed("\(text) in \((clock.now - start).spoken)")
    }

    private func get(
        _ path: String, _ peer: String, _ headers: [String: String], _ timeout: Duration
    ) async throws -> Outcome {
        var fields = HTTPFields()
        for (name, value) in headers {
            if let name = HTTPField.Name(name) { fields[name] = value }
        }
        let rooted = path.hasPrefix("/") ? path : "/" + path
        let request = TransferRequest(
            url: "http://\(peer)\(rooted)", headers: fields, timeout: timeout, connectTimeout: timeout)
        do {
            let response = try await http.stream(request)
            let text = "GET \(rooted) \(response.status)"
            return (200..<400).contains(response.status) ? .passed(text) : .failed(text)
        } catch let error as TransferError {
            return .failed("GET \(rooted): \(Self.sentence(error, timeout))")
        }
    }

    private static func sentence(_ error: TransferError, _ timeout: Duration) -> String {
        switch error.code {
        case .refused: "nothing listens on \(error.peer)"
        case .timeout: "no answer within \(timeout.spoken)"
        case .interrupted: "the connection was closed without an answer"
        default: error.detail
        }
    }

    private func connect(_ address: String, _ port: Int, _ timeout: Duration) async throws -> Outcome {
        do {
            let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connectTimeout(.nanoseconds(Int64(timeout / .nanoseconds(1))))
                .connect(host: address, port: port)
                .get()
            try await channel.close()
            return .passed("port \(port) open")
        } catch let error as CancellationError {
            throw error
        } catch {
            return .failed("nothing listens on port \(port)")
        }
    }

    private func run(_ command: [String], in pod: PodName, _ timeout: Duration) async throws -> Outcome {
        let name = command.first ?? ""
        do {
            let code = try await withDeadline(timeout) {
                try await podman.exec(in: pod.text, command: command, limit: 4096).exitCode
            }
            return code == 0
                ? .passed("\(name) 0") : .failed("\(name) exited with \(code.map { "\($0)" } ?? "no code")")
        } catch is DeadlineExceeded {
            return .failed("\(name) did not end within \(timeout.spoken)")
        } catch let error as PodmanError {
            return .failed("\(name) could not be run: \(error.message)")
        }
    }
}

extension Duration {
    /// `12 ms` below a second, `1.2 s` above.
    var spoken: String {
        let milliseconds = Int(self / .milliseconds(1))
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
    }
}
