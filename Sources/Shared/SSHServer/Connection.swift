import ConcurrencyPrimitives
import Glibc
import Logging

/// Everything a connection shares with its server.
struct ConnectionContext: Sendable {
    let configuration: SSHServerConfiguration
    let authorizer: any SSHAuthorizer
    let handler: any SSHCommandHandler
    let metrics: SSHServerMetrics
    let mailbox: Mailbox
    let peer: String
    let logger: Logger
    /// Called once when the client has signed in.
    let signedIn: @Sendable () -> Void
}

/// One SSH connection from handshake to farewell; confined to its thread.
final class Connection {
    private enum Stage {
        case handshake, authentication, serving
    }

    private let session: SessionHandle
    private let context: ConnectionContext
    private let startedAt = ContinuousClock.now
    private var stage = Stage.handshake
    private var channels: [ExecChannel] = []
    private var nextChannel = 1
    private var isDraining = false
    private var isAborted = false
    private var lastActivity = ContinuousClock.now
    private var idleSince = ContinuousClock.now
    private(set) var now = ContinuousClock.now

    private var identity: SSHIdentity?
    private var verdicts: [SSHOfferedKey: SSHAuthorization] = [:]
    private var refusedKeys: [SSHOfferedKey] = []
    private var problem: String?
    private var isRefusalShown = false

    init(session: SessionHandle, context: ConnectionContext) {
        self.session = session
        self.context = context
    }

    /// Serves the connection; returns when it is over and its children are gone.
    func run() {
        session.events = self
        session.prepare()
        while !isAborted, turn() {}
        for channel in channels where isAborted { channel.abandon() }
        for channel in channels where !isAborted { channel.lose() }
        channels.removeAll(where: \.isEnded)
        while !channels.isEmpty { finishChannels() }
        context.metrics.record(end: stage == .serving)
    }

    /// One turn of the loop; false when the connection is over.
    private func turn() -> Bool {
        var set = PollSet()
        let socket = set.add(session.socket, reading: true, writing: session.isWritePending)
        _ = set.add(context.mailbox.descriptor, reading: true)
        for channel in channels { channel.register(in: &set) }
        now = .now
        set.wait(now.duration(to: nextDeadline))
        now = .now
        read(context.mailbox.takeAll())
        guard advanceSession() else { return false }
        // The library does not always notice the end of the stream by itself.
        if set.isReady(socket), SocketOption.isAtEnd(session.socket) { return false }
        for channel in channels { channel.advance(set) }
        channels.removeAll(where: \.isEnded)
        if !channels.isEmpty { idleSince = now }
        return !isOverdue && !(isDraining && channels.allSatisfy { !$0.isBusy } && stage != .handshake)
    }

    private func advanceSession() -> Bool {
        guard stage == .handshake else {
            let isAlive = session.pump()
            if identity != nil, stage == .authentication { stage = .serving }
            return isAlive
        }
        switch session.exchangeKeys() {
        case true?: stage = .authentication
        case false?: break
        case nil:
            context.logger.debug(
                "Handshake failed", metadata: ["peer": "\(context.peer)", "error": "\(session.failure)"])
            return false
        }
        return true
    }

    private func read(_ messages: [SessionMessage]) {
        for message in messages {
            switch message {
            case .response(let number, let response): channels.first { $0.number == number }?.answer(response)
            case .drain: isDraining = true
            case .abort: isAborted = true
            }
        }
    }

    // MARK: Deadlines

    private var stageDeadline: ContinuousClock.Instant {
        switch stage {
        case .handshake: startedAt + context.configuration.handshakeLimit
        case .authentication: startedAt + context.configuration.authenticationLimit
        case .serving: channels.isEmpty ? idleSince + context.configuration.idleLimit : now + .seconds(3600)
        }
    }

    private var nextDeadline: ContinuousClock.Instant {
        let keepAlive = lastActivity + context.configuration.keepAliveInterval
        return channels.compactMap(\.deadline).reduce(min(stageDeadline, keepAlive), min)
    }

    /// The time of the current stage is over. Also sends the keep-alive when it is due.
    private var isOverdue: Bool {
        if stage == .serving, now >= lastActivity + context.configuration.keepAliveInterval {
            session.sendKeepAlive()
            lastActivity = now
        }
        guard now >= stageDeadline else { return false }
        if stage != .serving {
            context.metrics.countTimeout()
            context.logger.debug("Connection did not sign in in time", metadata: ["peer": "\(context.peer)"])
        }
        return true
    }

    /// After the connection: children end, at the latest by SIGKILL.
    private func finishChannels() {
        var set = PollSet()
        let mailbox = set.add(context.mailbox.descriptor, reading: true)
        for channel in channels { channel.register(in: &set) }
        now = .now
        set.wait(now.duration(to: channels.compactMap(\.deadline).reduce(now + .seconds(60), min)))
        now = .now
        let wasAborted = isAborted
        if set.isReady(mailbox) { read(context.mailbox.takeAll()) }
        for channel in channels {
            if isAborted, !wasAborted { channel.abandon() }
            channel.advance(set)
        }
        channels.removeAll(where: \.isEnded)
    }
}

// MARK: - Signing in

extension Connection: SessionEvents {
    func judge(_ key: SSHOfferedKey, isSigned: Bool) -> Bool {
        lastActivity = .now
        guard identity == nil, let verdict = verdict(on: key) else { return false }
        switch verdict {
        case .known(let user):
            guard isSigned else { return true }
            identity = SSHIdentity(user: user, fingerprint: key.sha256)
            context.signedIn()
            context.metrics.countSignIn()
            return true
        case .unknown: return false
        case .unavailable(let text):
            problem = text
            return false
        }
    }

    /// Asks the authorizer once per key; nil when the client has offered too many.
    private func verdict(on key: SSHOfferedKey) -> SSHAuthorization? {
        if let verdict = verdicts[key] { return verdict }
        guard verdicts.count < context.configuration.maximumOfferedKeys else {
            problem = "Too many keys were offered. Choose one with: ssh -o IdentitiesOnly=yes -i <file>\n"
            return nil
        }
        let verdict = ask(about: key)
        verdicts[key] = verdict
        if case .unknown = verdict {
            refusedKeys.append(key)
            context.metrics.countUnknownKey()
            context.logger.debug("Key is unknown", metadata: ["peer": "\(context.peer)", "key": "\(key.sha256)"])
        }
        return verdict
    }

    /// Blocks this thread, and only this connection, until the authorizer has answered.
    private func ask(about key: SSHOfferedKey) -> SSHAuthorization {
        let answer = ConditionLocked<SSHAuthorization?>(nil)
        let authorizer = context.authorizer
        // Awaited by this thread through `answer`, cancelled below when it takes too long.
        let task = Task {
            let verdict = await authorizer.authorize(key)
            answer.update { $0 = verdict }
        }
        if let verdict = answer.wait(for: context.configuration.authorizerLimit, { $0 }) { return verdict }
        task.cancel()
        return .unavailable("Keys cannot be checked at the moment. Try again later.\n")
    }

    func keysAreExhausted() -> String? {
        guard !isRefusalShown else { return nil }
        isRefusalShown = true
        context.logger.info(
            "No offered key is known", metadata: ["peer": "\(context.peer)", "keys": "\(refusedKeys.map(\.sha256))"])
        return problem ?? context.authorizer.refusal(of: refusedKeys)
    }

    func openChannel() -> (any ChannelEvents)? {
        guard identity != nil, !isDraining, channels.count < context.configuration.maximumChannelsPerConnection else {
            return nil
        }
        let channel = ExecChannel(
            number: nextChannel, owner: self, handlerLimit: context.configuration.handlerLimit, logger: context.logger)
        nextChannel += 1
        channels.append(channel)
        return channel
    }

    func opened(_ channel: ChannelHandle) { channels.last?.attach(channel) }
}

// MARK: - What channels need

extension Connection: ExecChannelOwner {
    var hasBacklog: Bool { session.isWritePending }

    func ask(_ command: String, gitProtocol: String?, channel: Int) -> Task<Void, Never>? {
        guard let identity, !isDraining else { return nil }
        lastActivity = .now
        let request = SSHCommandRequest(
            identity: identity, command: command, gitProtocol: gitProtocol, peer: context.peer)
        let (handler, mailbox) = (context.handler, context.mailbox)
        // Answers through the mailbox; the channel cancels it when its client goes away or the time is over.
        return Task {
            let response = await handler.respond(to: request)
            mailbox.post(.response(channel: channel, response))
        }
    }

    func commandEnded(status: Int) { context.metrics.countCommand(status: status) }

    func moved(input: Int, output: Int) {
        lastActivity = .now
        context.metrics.count(received: input, sent: output)
    }
}
