import ConcurrencyPrimitives
import Glibc
package import Logging
import Synchronization

/// An SSH server for commands: public keys only, `exec` only, a thread per connection.
///
/// Shells, terminals, subsystems, forwardings and requests of any other kind are refused. The server listens from the
/// initializer on (clients connect and wait) and serves from ``start()`` to ``stop(within:)``.
package final class SSHServer: Sendable {
    private struct State {
        var limits: ConnectionLimits
        var mailboxes: [UInt64: Mailbox] = [:]
        var nextID: UInt64 = 0
        var isStopping = false
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
    }

    private let configuration: SSHServerConfiguration
    private let listener: ListenerHandle
    private let authorizer: any SSHAuthorizer
    private let handler: any SSHCommandHandler
    private let logger: Logger
    private let metrics = SSHServerMetrics()
    private let state: Mutex<State>
    /// Wakes the accept thread when it shall end.
    private let acceptWake: Mailbox

    /// Binds the address and reads or makes the host keys.
    package init(
        configuration: SSHServerConfiguration, authorizer: some SSHAuthorizer, handler: some SSHCommandHandler,
        logger: Logger
    ) throws(SSHServerError) {
        let keys = try HostKeys(directory: configuration.hostKeyDirectory)
        listener = try ListenerHandle(host: configuration.host, port: configuration.port, keys: keys)
        acceptWake = try Mailbox()
        state = Mutex(
            State(
                limits: ConnectionLimits(
                    maximum: configuration.maximumConnections,
                    maximumUnauthenticatedPerAddress: configuration.maximumUnauthenticatedPerAddress)))
        self.configuration = configuration
        self.authorizer = authorizer
        self.handler = handler
        self.logger = logger
    }

    /// The port the server listens on.
    package var port: Int { listener.port }

    /// How many connections are open now.
    package var connectionCount: Int { state.withLock { $0.limits.count } }

    /// Starts the accept thread; call once.
    package func start() {
        OperatingSystemThread.start(name: "ssh-accept", stackSize: 256 << 10) { [self] in
            while acceptOne() {}
        }
    }

    /// Takes no further connection, lets running commands end within `limit`, then ends what is left.
    ///
    /// Returns when every connection's thread is done.
    package func stop(within limit: Duration) async {
        let mailboxes = state.withLock { state in
            state.isStopping = true
            return Array(state.mailboxes.values)
        }
        acceptWake.post(.abort)
        for mailbox in mailboxes { mailbox.post(.drain) }
        do {
            try await withDeadline(limit) { await self.waitUntilEmpty() }
        } catch {
            for mailbox in state.withLock({ Array($0.mailboxes.values) }) { mailbox.post(.abort) }
        }
        await waitUntilEmpty()
    }

    // MARK: Accepting

    /// Waits for a connection and starts its thread; false when the server stops.
    private func acceptOne() -> Bool {
        var set = PollSet()
        _ = set.add(listener.socket, reading: true)
        let wake = set.add(acceptWake.descriptor, reading: true)
        set.wait(.seconds(3600))
        if set.isReady(wake) { return false }
        guard let descriptor = listener.accept() else {
            // Out of descriptors: the waiting connection would make the loop spin until one is free.
            if errno == EMFILE || errno == ENFILE { pause() }
            return true
        }
        let socket = descriptor.number
        let peer = SocketAddress.peer(of: socket).host
        switch state.withLock({ $0.limits.admit(peer) }) {
        case .admitted: begin(descriptor, peer: peer)
        case .full: refuse(descriptor, peer: peer, isFull: true)
        case .tooManyFromAddress: refuse(descriptor, peer: peer, isFull: false)
        }
        return true
    }

    private func pause() {
        var set = PollSet()
        _ = set.add(acceptWake.descriptor, reading: true)
        set.wait(.milliseconds(100))
    }

    /// The protocol allows lines before the version; clients show them when asked to be verbose.
    private func refuse(_ descriptor: Descriptor, peer: String, isFull: Bool) {
        metrics.countRefusal(isFull: isFull)
        logger.warning("Connection refused", metadata: ["peer": "\(peer)", "reason": isFull ? "full" : "address"])
        descriptor.setNonblocking()
        let text = isFull ? "The server is full. Try again in a moment.\r\n" : "Too many connections from \(peer).\r\n"
        let bytes = Array(text.utf8)
        // A refused client that does not read its refusal loses nothing.
        _ = unsafe descriptor.write(bytes.span.bytes)
    }

    private func begin(_ descriptor: Descriptor, peer: String) {
        descriptor.setNonblocking()
        SocketOption.prepareConnection(descriptor.number, peerLimit: configuration.peerLimit)
        do {
            let mailbox = try Mailbox()
            let session = try listener.makeSession(descriptor)
            let id = add(mailbox)
            serve(session, mailbox: mailbox, id: id, peer: peer)
        } catch {
            logger.warning("Connection not set up", metadata: ["peer": "\(peer)", "error": "\(error)"])
            state.withLock { $0.limits.left(peer, wasSignedIn: false) }
        }
    }

    private func add(_ mailbox: Mailbox) -> UInt64 {
        let (id, isStopping, count) = state.withLock { state in
            state.nextID += 1
            state.mailboxes[state.nextID] = mailbox
            return (state.nextID, state.isStopping, state.limits.count)
        }
        metrics.record(connections: count)
        if isStopping { mailbox.post(.drain) }
        return id
    }

    private func serve(_ session: SessionHandle, mailbox: Mailbox, id: UInt64, peer: String) {
        let signIn = SignInFlag()
        let context = ConnectionContext(
            configuration: configuration, authorizer: authorizer, handler: handler, metrics: metrics, mailbox: mailbox,
            peer: peer, logger: logger,
            signedIn: { [self] in
                signIn.set()
                state.withLock { $0.limits.signedIn(peer) }
            })
        OperatingSystemThread.start(name: "ssh-\(id)", stackSize: 512 << 10) { [self] in
            Connection(session: session, context: context).run()
            remove(id, peer: peer, wasSignedIn: signIn.isSet)
        }
    }

    private func remove(_ id: UInt64, peer: String, wasSignedIn: Bool) {
        let (count, waiters) = state.withLock { state -> (Int, [CheckedContinuation<Void, Never>]) in
            state.limits.left(peer, wasSignedIn: wasSignedIn)
            state.mailboxes[id] = nil
            guard state.mailboxes.isEmpty else { return (state.limits.count, []) }
            defer { state.waiters = [:] }
            return (state.limits.count, Array(state.waiters.values))
        }
        metrics.record(connections: count)
        for waiter in waiters { waiter.resume() }
    }

    // MARK: Waiting for the end

    private func waitUntilEmpty() async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.mailboxes.isEmpty || Task.isCancelled { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
        }
    }
}

/// Whether a connection has signed in; set by its thread.
private final class SignInFlag: Sendable {
    private let value = Atomic(false)

    func set() { value.store(true, ordering: .relaxed) }
    var isSet: Bool { value.load(ordering: .relaxed) }
}
