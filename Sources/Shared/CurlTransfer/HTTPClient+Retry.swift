package import ConcurrencyPrimitives
import HTTPTypes

extension HTTPClient {
    /// Sends a request that may safely be carried out twice, again and again while the failure is a passing one.
    ///
    /// Passing are: refused, unresolved, timed out and interrupted connections, and the statuses 429, 502, 503 and
    /// 504; the last answer is returned as it is. Only GET, HEAD, PUT, DELETE and OPTIONS with a body that can be sent
    /// again are repeated; any other request is sent once.
    /// - Parameter attempts: how many times the request is sent at most.
    package func sendRetrying(
        _ request: TransferRequest,
        attempts: Int = 4,
        backoff: Backoff = Backoff(),
        limit: Int = 8 * 1024 * 1024,
        clock: any Clock<Duration> = ContinuousClock()
    ) async throws -> TransferResponse {
        let idempotent: [HTTPRequest.Method] = [.get, .head, .put, .delete, .options]
        guard idempotent.contains(request.method), request.body.isReplayable else {
            return try await send(request, limit: limit)
        }
        for wait in backoff.prefix(max(1, attempts) - 1) {
            do {
                let response = try await send(request, limit: limit)
                guard [429, 502, 503, 504].contains(response.status) else { return response }
            } catch let error as TransferError where error.isTransient {
                // The next attempt follows; the last one reports its own failure.
            }
            try await clock.sleep(for: wait)
        }
        return try await send(request, limit: limit)
    }
}
