import ConcurrencyPrimitives
import Glibc
import Synchronization

/// The thread that carries out all transfers of a client with libcurl's multi interface.
///
/// Commands cross through a locked list and a wake-up; everything else belongs to the thread.
final class TransferLoop: Sendable {
    typealias ID = UInt64

    enum Command {
        case add(Transfer)
        case resumeReceiving(ID)
        case resumeSending(ID)
        case cancel(ID)
        case stop
    }

    /// Keeps the loop running; the last owner to go stops the thread.
    final class Owner: Sendable {
        let loop: TransferLoop
        init() throws(TransferError) {
            loop = try TransferLoop()
            let loop = loop
            OperatingSystemThread.start(name: "transfers", stackSize: 512 * 1024) { loop.run() }
        }
        deinit { loop.post(.stop) }
    }

    private let multi: MultiHandle
    private let commands = Mutex<[Command]>([])
    private let lastID = Mutex<ID>(0)

    private init() throws(TransferError) { multi = try MultiHandle() }

    func makeID() -> ID {
        lastID.withLock { last in
            last += 1
            return last
        }
    }

    func post(_ command: Command) {
        commands.withLock { $0.append(command) }
        multi.wakeUp()
    }

    private func takeCommands() -> [Command] {
        commands.withLock { commands in
            defer { commands = [] }
            return commands
        }
    }

    /// A broken pipe must be an error of its transfer: TLS writes inside libcurl would otherwise end the process.
    private func blockBrokenPipeSignal() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGPIPE)
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    private func run() {
        blockBrokenPipeSignal()
        var live: [ID: Transfer] = [:]
        while true {
            for command in takeCommands() {
                guard carryOut(command, &live) else { return }
            }
            multi.perform()
            while let (transfer, result) = multi.nextFinished() {
                multi.remove(transfer.easy)
                live[transfer.id] = nil
                transfer.complete(result)
            }
            multi.wait(milliseconds: endIdle(&live))
        }
    }

    /// Returns false when the loop has to end.
    private func carryOut(_ command: Command, _ live: inout [ID: Transfer]) -> Bool {
        switch command {
        case .add(let transfer):
            if multi.add(transfer.easy) {
                live[transfer.id] = transfer
                transfer.noteActivity()
            } else {
                transfer.fail(.clientFailed, "libcurl refused the transfer.")
            }
        case .resumeReceiving(let id): live[id]?.resumeReceiving()
        case .resumeSending(let id): live[id]?.resumeSending()
        case .cancel(let id):
            guard let transfer = live.removeValue(forKey: id) else { break }
            multi.remove(transfer.easy)
            transfer.abandon()
        case .stop:
            for transfer in live.values {
                multi.remove(transfer.easy)
                transfer.abandon()
            }
            return false
        }
        return true
    }

    /// Ends transfers that were silent for too long; returns how long to wait for the next such moment.
    private func endIdle(_ live: inout [ID: Transfer]) -> Int32 {
        let now = ContinuousClock.now
        var wait: Duration = .seconds(1)
        var expired: [Transfer] = []
        for transfer in live.values {
            guard let deadline = transfer.idleDeadline else { continue }
            if deadline <= now { expired.append(transfer) } else { wait = min(wait, now.duration(to: deadline)) }
        }
        for transfer in expired {
            multi.remove(transfer.easy)
            live[transfer.id] = nil
            transfer.fail(.timeout, "The peer was silent for too long.")
        }
        return expired.isEmpty ? Int32(wait / .milliseconds(1)) + 1 : 0
    }
}
