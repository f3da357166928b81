import CLibPQ
import ConcurrencyPrimitives
import Glibc
import PlatformModel

/// Owns one libpq connection and finishes it exactly once.
///
/// Belongs to the one thread that made it. Calls wait, but never past their watch.
@safe final class ConnectionHandle {
    private let pointer: OpaquePointer
    /// Names of the statements prepared on this connection, by text.
    private var prepared: [String: String] = [:]
    private var preparedCount = 0
    /// Whether the connection is of no further use.
    private(set) var isBroken = false

    /// How many statements a connection keeps prepared before it starts anew.
    private static let preparedLimit = 256
    /// How long a stopped statement may take to end before the connection is given up.
    private static let cancelGrace = Duration.seconds(5)

    /// Connects; blocks for at most five seconds per address.
    init(url: Secret, applicationName: String) throws(PostgresError) {
        // Later keywords win, so the URL overrides what stands before it.
        let settings: KeyValuePairs = [
            "application_name": applicationName, "connect_timeout": "5", "client_encoding": "UTF8",
            "keepalives_idle": "20", "keepalives_interval": "5", "keepalives_count": "3", "tcp_user_timeout": "30000",
            "options": "-c TimeZone=UTC -c DateStyle=ISO -c idle_in_transaction_session_timeout=120000",
            "dbname": url.reveal(),
        ]
        let opened = unsafe withCStrings(settings.map(\.key) + [nil]) { keywords in
            unsafe withCStrings(settings.map(\.value) + [nil]) { values in unsafe PQconnectdbParams(keywords, values, 1)
            }
        }
        guard let opened = unsafe opened else { throw PostgresError(.unavailable, detail: "out of memory") }
        guard unsafe PQstatus(opened) == CONNECTION_OK else {
            let message = unsafe String(cString: PQerrorMessage(opened))
            unsafe PQfinish(opened)
            // libpq keeps no SQLSTATE for a failed connection, so a wrong password cannot be told from a dead server.
            throw PostgresError(.unavailable, detail: message)
        }
        unsafe pointer = unsafe opened
        unsafe PQsetnonblocking(opened, 1)
        unsafe PQsetNoticeProcessor(opened, dropNotice, nil)
    }

    deinit { unsafe PQfinish(pointer) }

    /// Marks the connection as not to be used again.
    func giveUp() { isBroken = true }

    var socket: CInt { unsafe PQsocket(pointer) }

    /// Whether no transaction is open.
    var isIdle: Bool { unsafe PQtransactionStatus(pointer) == PQTRANS_IDLE }

    /// Runs a statement to its end.
    func run(_ sql: SQL, watch: StatementWatch) throws(PostgresError) -> ResultHandle {
        do {
            return try attempt(sql, watch: watch)
        } catch  where error.invalidatesPrepared && prepared[sql.text] != nil {
            // A schema change made the prepared plan useless; outside of a transaction preparing anew repairs it.
            prepared[sql.text] = nil
            guard isIdle, !isBroken else { throw error }
            return try attempt(sql, watch: watch)
        }
    }

    private func attempt(_ sql: SQL, watch: StatementWatch) throws(PostgresError) -> ResultHandle {
        if sql.isScript {
            try sent(unsafe PQsendQuery(pointer, sql.text))
            return try answer(watch)
        }
        guard sql.binds.allSatisfy({ $0?.utf8.contains(0) != true }) else {
            throw PostgresError(.dataException, detail: "a text value holds a zero byte")
        }
        let name = try prepare(sql.text, watch: watch)
        let count = CInt(sql.binds.count)
        let result = unsafe withCStrings(sql.binds) { values in
            unsafe PQsendQueryPrepared(pointer, name, count, values, nil, nil, 0)
        }
        try sent(result)
        return try answer(watch)
    }

    private func prepare(_ text: String, watch: StatementWatch) throws(PostgresError) -> String {
        if let name = prepared[text] { return name }
        if prepared.count >= Self.preparedLimit, isIdle {
            try sent(unsafe PQsendQuery(pointer, "DEALLOCATE ALL"))
            _ = try answer(watch)
            prepared = [:]
        }
        preparedCount += 1
        let name = "s\(preparedCount)"
        try sent(unsafe PQsendPrepare(pointer, name, text, 0, nil))
        _ = try answer(watch)
        prepared[text] = name
        return name
    }

    private func sent(_ result: CInt) throws(PostgresError) {
        if result == 0 { throw lost() }
    }

    private func lost() -> PostgresError {
        isBroken = true
        return PostgresError(.connectionLost, detail: unsafe String(cString: PQerrorMessage(pointer)))
    }

    /// Collects the answer of what was sent: the last result, or the first failure.
    private func answer(_ watch: StatementWatch) throws(PostgresError) -> ResultHandle {
        var interruption: Interruption?
        var last: ResultHandle?
        var failure: PostgresError?
        while true {
            try waitForResult(watch, &interruption)
            guard let pointer = unsafe PQgetResult(pointer) else { break }
            let result = unsafe ResultHandle(pointer)
            guard !result.isCopy else {
                isBroken = true
                throw PostgresError(.invalidStatement, detail: "COPY is not supported")
            }
            failure = failure ?? result.failure
            last = result
        }
        if unsafe PQstatus(pointer) == CONNECTION_BAD { isBroken = true }
        guard let failure else {
            // The cancel request may still be under way and would hit the next statement.
            if interruption != nil { isBroken = true }
            guard let last else { throw lost() }
            return last
        }
        if failure.sqlState == "57014", let interruption { throw interruption.error }
        throw isBroken && failure.code != .connectionLost
            ? PostgresError(.connectionLost, detail: failure.detail) : failure
    }

    /// Waits until a result can be taken without blocking; past the watch's limit the statement is stopped.
    private func waitForResult(_ watch: StatementWatch, _ interruption: inout Interruption?) throws(PostgresError) {
        while true {
            let unsent = unsafe PQflush(pointer)
            if unsent < 0 { throw lost() }
            if unsent == 0, unsafe PQisBusy(pointer) == 0 { return }
            let now = ContinuousClock.now
            if let current = interruption {
                guard now < current.givesUp else {
                    isBroken = true
                    throw current.error
                }
            } else if let reason = watch.interruption(at: now) {
                interruption = Interruption(reason: reason, givesUp: now + Self.cancelGrace)
                requestCancel()
                continue
            }
            let limit = (interruption?.givesUp ?? watch.deadline) - now
            let events = POLLIN | (unsent == 1 ? POLLOUT : 0)
            if watch.wake.wait(alsoFor: socket, events: events, limit: limit), unsafe PQconsumeInput(pointer) == 0 {
                throw lost()
            }
        }
    }

    /// Asks the server to stop the running statement.
    ///
    /// On a thread of its own, since libpq waits without a limit there and a silent server would hold this connection's
    /// thread.
    private func requestCancel() {
        guard let cancel = unsafe PQgetCancel(pointer) else { return }
        let handle = unsafe CancelHandle(cancel)
        OperatingSystemThread.start(name: "postgres-cancel", stackSize: 128 << 10) { handle.request() }
    }

    /// Takes in what the server sent unasked; a closed connection becomes ``isBroken``.
    func consumeInput() {
        if unsafe PQconsumeInput(pointer) == 0 || PQstatus(pointer) == CONNECTION_BAD { isBroken = true }
    }

    /// The next notification received so far.
    func nextNotification() -> (channel: String, payload: String)? {
        guard let notification = unsafe PQnotifies(pointer) else { return nil }
        defer { unsafe PQfreemem(notification) }
        return unsafe (String(cString: notification.pointee.relname), String(cString: notification.pointee.extra))
    }
}

/// How long a statement may run and what may stop it before.
struct StatementWatch {
    let deadline: ContinuousClock.Instant
    let wake: WakeSignal
    let isCancelled: @Sendable () -> Bool

    init(limit: Duration, wake: WakeSignal, isCancelled: @escaping @Sendable () -> Bool = { false }) {
        deadline = ContinuousClock.now + limit
        self.wake = wake
        self.isCancelled = isCancelled
    }

    fileprivate func interruption(at now: ContinuousClock.Instant) -> PostgresError.Code? {
        if isCancelled() { return .cancelled }
        return now >= deadline ? .timeout : nil
    }
}

private struct Interruption {
    let reason: PostgresError.Code
    let givesUp: ContinuousClock.Instant

    var error: PostgresError {
        PostgresError(
            reason, detail: reason == .cancelled ? "the caller was cancelled" : "the statement's time ran out")
    }
}

extension PostgresError {
    /// `cached plan must not change result type`, or a prepared statement the server no longer has.
    fileprivate var invalidatesPrepared: Bool { sqlState == "0A000" || sqlState == "26000" }
}

private func dropNotice(_ context: UnsafeMutableRawPointer?, _ message: UnsafePointer<CChar>?) {}

/// Lends C copies of the strings, nil as the null pointer.
private func withCStrings<Result>(
    _ strings: [String?], _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result
) -> Result {
    var bytes: [UInt8] = []
    var offsets: [Int?] = []
    for string in strings {
        guard let string else {
            offsets.append(nil)
            continue
        }
        offsets.append(bytes.count)
        bytes.append(contentsOf: string.utf8)
        bytes.append(0)
    }
    return unsafe bytes.withUnsafeBytes { buffer in
        let start = unsafe buffer.baseAddress?.assumingMemoryBound(to: CChar.self)
        let pointers = unsafe offsets.map { offset in unsafe offset.flatMap { unsafe start?.advanced(by: $0) } }
        return unsafe pointers.withUnsafeBufferPointer { unsafe body($0.baseAddress) }
    }
}
