import Glibc
import Logging

/// What a channel needs from its connection.
protocol ExecChannelOwner: AnyObject {
    /// Asks the handler; the answer comes through the mailbox. The returned task is cancelled when the client goes
    /// away.
    func ask(_ command: String, gitProtocol: String?, channel: Int) -> Task<Void, Never>?
    /// The socket still holds bytes that could not be sent.
    var hasBacklog: Bool { get }
    var now: ContinuousClock.Instant { get }
    func commandEnded(status: Int)
    func moved(input: Int, output: Int)
}

/// One session channel: a command, the child process or text that answers it, and the bytes between them.
///
/// Lives on its connection's thread. Nothing is written to the channel from within a callback of the SSH library:
/// callbacks
/// take input and note what happened, ``advance(_:)`` does the rest.
final class ExecChannel: ChannelEvents {
    private enum Phase {
        case waitingForCommand
        case waitingForAnswer(Task<Void, Never>, until: ContinuousClock.Instant)
        /// A child or a text is being delivered.
        case answering
        /// The exit status is sent; the peer's close ends the channel.
        case closing(until: ContinuousClock.Instant)
        case ended
    }

    private static let portion = 32 << 10
    private static let drainLimit: Duration = .seconds(5)
    private static let closeLimit: Duration = .seconds(5)
    /// A client that takes no byte of waiting output for this long is lost.
    private static let stallLimit: Duration = .seconds(600)

    let number: Int
    private unowned let owner: any ExecChannelOwner
    private let logger: Logger
    private let handlerLimit: Duration
    private var handle: ChannelHandle?
    private var phase = Phase.waitingForCommand
    private var gitProtocol: String?
    private var child: ChildProcess?
    private var request: SSHChildProcess?
    private var exitStatus: Int?
    private var exitedAt: ContinuousClock.Instant?
    private var lastOutput: ContinuousClock.Instant
    private var teardown: Teardown?

    private var input = OutgoingBytes()
    private var isInputBlocked = false
    private var isInputAtEnd = false
    private var isPeerClosed = false
    private var output = OutgoingBytes()
    private var error = OutgoingBytes()
    private var buffer = [UInt8](repeating: 0, count: portion)

    private var inputEntry: Int?
    private var outputEntry: Int?
    private var errorEntry: Int?
    private var exitEntry: Int?

    init(number: Int, owner: any ExecChannelOwner, handlerLimit: Duration, logger: Logger) {
        self.number = number
        self.owner = owner
        self.handlerLimit = handlerLimit
        self.logger = logger
        lastOutput = owner.now
    }

    func attach(_ handle: ChannelHandle) { self.handle = handle }

    var isEnded: Bool {
        if case .ended = phase { return true }
        return false
    }

    /// A command runs or waits for its answer.
    var isBusy: Bool {
        switch phase {
        case .waitingForAnswer, .answering: true
        case .waitingForCommand, .closing, .ended: false
        }
    }

    // MARK: Events of the peer

    func receive(_ bytes: RawSpan) -> Int {
        guard input.isEmpty, case .answering = phase, child?.input != nil else {
            isInputBlocked = true
            // Input for a command that never reads is dropped, input for one that has not started waits.
            if case .waitingForAnswer = phase { return 0 }
            return child?.input == nil ? bytes.byteCount : 0
        }
        return writeInput(bytes)
    }

    func receiveEndOfInput() { isInputAtEnd = true }

    func receiveClose() { isPeerClosed = true }

    func receiveEnvironment(name: String, value: String) {
        guard name == "GIT_PROTOCOL", value.utf8.count <= 256 else { return }
        let isHarmless = value.utf8.allSatisfy { byte in
            (0x61...0x7a).contains(byte | 0x20) || (0x30...0x39).contains(byte) || "=:-_.".utf8.contains(byte)
        }
        if isHarmless { gitProtocol = value }
    }

    func receive(command: String) -> Bool {
        guard case .waitingForCommand = phase, command.utf8.count <= 4096,
            let task = owner.ask(command, gitProtocol: gitProtocol, channel: number)
        else { return false }
        phase = .waitingForAnswer(task, until: owner.now + handlerLimit)
        return true
    }

    // MARK: The answer

    func answer(_ response: SSHResponse) {
        guard case .waitingForAnswer = phase else { return }
        phase = .answering
        lastOutput = owner.now
        switch response {
        case .reply(let text, let problem, let status):
            output.append(text.utf8)
            error.append(problem.utf8)
            exitStatus = status
        case .process(let request):
            start(request)
        }
    }

    private func start(_ request: SSHChildProcess) {
        do {
            child = try ChildProcess(request)
            self.request = request
            isInputBlocked = true
        } catch {
            logger.error("Child process not started", metadata: ["error": "\(error)"])
            self.error.append("The server cannot start this command now. Try again later.\n".utf8)
            request.onExit(127)
            exitStatus = 127
        }
    }

    // MARK: A turn of the loop

    /// Names the descriptors whose readiness matters now.
    func register(in set: inout PollSet) {
        inputEntry = nil
        outputEntry = nil
        errorEntry = nil
        exitEntry = nil
        guard child != nil else { return }
        if let number = child?.input?.number, isInputBlocked || !input.isEmpty {
            inputEntry = set.add(number, reading: false, writing: true)
        }
        if isOutputWanted {
            if let number = child?.output?.number { outputEntry = set.add(number, reading: true) }
            if let number = child?.error?.number { errorEntry = set.add(number, reading: true) }
        }
        if exitStatus == nil, let number = child?.exitDescriptor.number { exitEntry = set.add(number, reading: true) }
    }

    /// The child's output is read only while it can be passed on at once, or when nobody wants it any more.
    private var isOutputWanted: Bool {
        guard let handle else { return true }
        return output.isEmpty && error.isEmpty && handle.window > 0 && !owner.hasBacklog
    }

    /// When this channel must be looked at even if no descriptor is ready.
    var deadline: ContinuousClock.Instant? {
        switch phase {
        case .waitingForAnswer(_, let until), .closing(let until): until
        case .answering: [teardown?.next, exitedAt.map { $0 + Self.drainLimit }].compactMap(\.self).min()
        case .waitingForCommand, .ended: nil
        }
    }

    func advance(_ set: PollSet) {
        if isPeerClosed, handle != nil, isBusy { lose() }
        switch phase {
        case .waitingForCommand:
            if isPeerClosed { end() }
        case .waitingForAnswer(let task, let until):
            guard owner.now >= until else { return }
            task.cancel()
            answer(.reply(error: "The server is busy. Try again later.\n", status: 1))
        case .answering:
            passInput(set)
            passOutput(set)
            passExit(set)
            finishIfDone()
        case .closing(let until):
            if isPeerClosed || owner.now >= until || handle == nil { end() }
        case .ended: break
        }
    }

    private func finishIfDone() {
        guard let exitStatus, output.isEmpty, error.isEmpty else { return }
        if child != nil {
            let isDrained = child?.output == nil && child?.error == nil
            let isOver = exitedAt.map { owner.now >= $0 + Self.drainLimit } ?? false
            guard isDrained || isOver else { return }
        }
        child = nil
        owner.commandEnded(status: exitStatus)
        handle?.finish(status: exitStatus)
        phase = handle == nil ? .ended : .closing(until: owner.now + Self.closeLimit)
    }

    private func end() {
        handle = nil
        phase = .ended
    }
}

// MARK: - Bytes

extension ExecChannel {
    private func writeInput(_ bytes: RawSpan) -> Int {
        var offset = 0
        while offset < bytes.byteCount {
            switch child?.input?.write(bytes.extracting(offset..<bytes.byteCount)) {
            case .moved(let count): offset += count
            case .blocked:
                isInputBlocked = true
                owner.moved(input: offset, output: 0)
                return offset
            case .ended, nil:
                child?.input = nil
                return bytes.byteCount
            }
        }
        owner.moved(input: offset, output: 0)
        return offset
    }

    private func passInput(_ set: PollSet) {
        guard child?.input != nil else { return }
        if handle == nil {
            child?.input = nil
            return
        }
        if set.isReady(inputEntry) { drainInput() }
        if isInputAtEnd, !isInputBlocked, input.isEmpty { child?.input = nil }
    }

    /// Moves what the library has kept, until the pipe is full or nothing is left.
    private func drainInput() {
        while child?.input != nil {
            if !input.isEmpty {
                let sent = input.send(limit: .max) { writeInput($0) }
                guard let sent, sent > 0, input.isEmpty else { return }
            }
            let count = handle?.read(into: &buffer) ?? 0
            guard count > 0 else {
                isInputBlocked = false
                return
            }
            input.append(buffer.prefix(count))
        }
    }

    private func passOutput(_ set: PollSet) {
        flush()
        for _ in 0..<8 where isOutputWanted {
            let isOutputRead = set.isReady(outputEntry) && readOutput(isError: false)
            flush()
            let isErrorRead = set.isReady(errorEntry) && isOutputWanted && readOutput(isError: true)
            flush()
            if !isOutputRead && !isErrorRead { break }
        }
        if handle != nil, !(output.isEmpty && error.isEmpty), owner.now >= lastOutput + Self.stallLimit { lose() }
    }

    /// Reads one portion; false when there was none.
    private func readOutput(isError: Bool) -> Bool {
        let limit = min(Self.portion, handle?.window ?? Self.portion)
        let outcome =
            isError ? child?.error?.read(into: &buffer, limit: limit) : child?.output?.read(into: &buffer, limit: limit)
        switch outcome {
        case .moved(let count):
            if handle == nil { return true }
            if isError { error.append(buffer.prefix(count)) } else { output.append(buffer.prefix(count)) }
            return true
        case .ended:
            if isError { child?.error = nil } else { child?.output = nil }
            return false
        case .blocked, nil: return false
        }
    }

    private func flush() {
        guard let handle else {
            output.clear()
            error.clear()
            return
        }
        guard !(output.isEmpty && error.isEmpty) else { return }
        let wasMoved = output.send(limit: handle.window) { handle.write($0, isError: false) }
        let wasErrorMoved = error.send(limit: handle.window) { handle.write($0, isError: true) }
        guard let wasMoved, let wasErrorMoved else { return lose() }
        if wasMoved + wasErrorMoved > 0 {
            lastOutput = owner.now
            owner.moved(input: 0, output: wasMoved + wasErrorMoved)
        }
    }
}

// MARK: - The child's end

extension ExecChannel {
    private func passExit(_ set: PollSet) {
        guard child != nil, exitStatus == nil else { return }
        if set.isReady(exitEntry), let status = child?.reap() {
            exitStatus = status
            exitedAt = owner.now
            child?.input = nil
            request?.onExit(status)
            return
        }
        if let signal = teardown?.signal(at: owner.now) { child?.signalGroup(signal) }
    }

    /// The client is gone, or the server ends: nothing is written any more, and a child gets the time it was promised.
    func lose(patience: Duration? = nil) {
        handle = nil
        switch phase {
        case .waitingForAnswer(let task, _):
            task.cancel()
            phase = .ended
        case .answering:
            output.clear()
            error.clear()
            guard child != nil else {
                phase = .ended
                return
            }
            child?.input = nil
            let patience = patience ?? request?.patienceWithoutClient ?? .zero
            if patience == .zero {
                child?.output = nil
                child?.error = nil
            }
            if teardown == nil, exitStatus == nil { request?.onClientLost() }
            teardown = Teardown(start: owner.now + patience)
        case .waitingForCommand, .closing, .ended:
            phase = .ended
        }
    }

    /// Ends a child whose connection's thread gives up waiting.
    func abandon() { lose(patience: .zero) }
}

/// The steps by which a child is ended: SIGTERM, then SIGKILL.
struct Teardown {
    private static let grace: Duration = .seconds(5)
    private var steps: [(at: ContinuousClock.Instant, signal: Int32)]

    init(start: ContinuousClock.Instant) {
        steps = [(start, SIGTERM), (start + Self.grace, SIGKILL)]
    }

    var next: ContinuousClock.Instant? { steps.first?.at }

    /// The signal due at `now`, once.
    mutating func signal(at now: ContinuousClock.Instant) -> Int32? {
        guard let step = steps.first, now >= step.at else { return nil }
        steps.removeFirst()
        return step.signal
    }
}
