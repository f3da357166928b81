/// Which connection does what, as a value: methods change it and answer what the caller has to do.
struct PoolState {
    struct Pending {
        let request: StatementRequest
        let deadline: ContinuousClock.Instant
    }

    enum Submission {
        case refused
        /// Hand the request to this connected worker.
        case assigned(PoolWorker)
        /// It waits; wake this worker to connect, if there is one, and the watchdog if the queue was empty.
        case queued(connect: PoolWorker?, wasEmpty: Bool)
    }

    enum Next {
        case serve(StatementRequest)
        case idle
        case stop
    }

    private var pending: [Pending] = []
    private var head = 0
    private(set) var idle: [PoolWorker] = []
    private(set) var cold: [PoolWorker] = []
    private(set) var isClosed = false
    private(set) var connected = 0
    private var lastFailure: PostgresError?

    private var hasPending: Bool { head < pending.count }

    mutating func submit(_ request: StatementRequest, deadline: ContinuousClock.Instant) -> Submission {
        guard !isClosed else { return .refused }
        if let worker = idle.popLast() { return .assigned(worker) }
        let wasEmpty = !hasPending
        pending.append(Pending(request: request, deadline: deadline))
        return .queued(connect: cold.popLast(), wasEmpty: wasEmpty)
    }

    /// A request that a worker could not begin goes first again.
    mutating func putBack(_ request: StatementRequest, deadline: ContinuousClock.Instant) {
        pending.insert(Pending(request: request, deadline: deadline), at: head)
    }

    /// What a connected worker does next; with nothing to do it is registered as idle.
    mutating func next(for worker: PoolWorker) -> Next {
        if let request = popPending() { return .serve(request) }
        if isClosed { return .stop }
        idle.append(worker)
        return .idle
    }

    private mutating func popPending() -> StatementRequest? {
        guard hasPending else { return nil }
        let request = pending[head].request
        head += 1
        if head == pending.count {
            pending.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 1024 {
            pending.removeFirst(head)
            head = 0
        }
        return request
    }

    /// Takes a worker out of the idle ones; false when it was assigned a request meanwhile.
    mutating func withdraw(_ worker: PoolWorker) -> Bool {
        guard let index = idle.firstIndex(where: { $0 === worker }) else { return false }
        idle.remove(at: index)
        return true
    }

    /// Whether an unconnected worker should connect now; otherwise it is registered as cold, nil when closed.
    mutating func wantsConnection(_ worker: PoolWorker) -> Bool? {
        if isClosed { return nil }
        if hasPending { return true }
        if !cold.contains(where: { $0 === worker }) { cold.append(worker) }
        return false
    }

    mutating func didConnect() {
        connected += 1
        lastFailure = nil
    }

    mutating func didDisconnect() { connected -= 1 }

    mutating func didFail(_ error: PostgresError) { lastFailure = error }

    /// Removes the requests that have waited too long, with the failure they get.
    mutating func expire(at now: ContinuousClock.Instant) -> (expired: [StatementRequest], failure: PostgresError) {
        var expired: [StatementRequest] = []
        while hasPending, pending[head].deadline <= now {
            if let request = popPending() { expired.append(request) }
        }
        let failure =
            connected == 0
            ? lastFailure ?? PostgresError(.unavailable, detail: "no connection within the time a caller waits")
            : PostgresError(.poolExhausted, detail: "all \(connected) connections stayed busy")
        return (expired, failure)
    }

    var nextDeadline: ContinuousClock.Instant? { hasPending ? pending[head].deadline : nil }

    /// Ends the pool: every waiting request and every resting worker is handed back.
    mutating func close() -> (requests: [StatementRequest], workers: [PoolWorker]) {
        isClosed = true
        let requests = pending[head...].map(\.request)
        let workers = idle + cold
        pending = []
        head = 0
        idle = []
        cold = []
        return (requests, workers)
    }
}
