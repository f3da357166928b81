import HTTPTypes

/// Carries out HTTP requests with libcurl on one thread of its own; one client serves a whole process.
///
/// Connections are kept and used again. A task that is cancelled ends its transfer and gets `CancellationError`; every
/// other failure is a ``TransferError``. A status of 400 or more is not a failure here: see
/// ``TransferResponse/requireSuccess()``.
package final class HTTPClient: Sendable {
    private let owner: TransferLoop.Owner

    /// - Throws: ``TransferError`` when libcurl cannot be initialised or no thread can be started.
    package init() throws(TransferError) { owner = try TransferLoop.Owner() }

    /// Sends the request and returns once the head of the response is here.
    ///
    /// The body follows through ``StreamedResponse/body``, which must be read or dropped.
    package func stream(_ request: TransferRequest) async throws -> StreamedResponse {
        try Task.checkCancellation()
        let loop = owner.loop
        let id = loop.makeID()
        let channel = ResponseChannel()
        let upload = request.body.makeChannel { loop.post(.resumeSending(id)) }
        let transfer = try Transfer(id: id, request: request, response: channel, upload: upload)
        let exchange = Exchange(id: id, channel: channel, peer: transfer.peer, loop: owner)
        loop.post(.add(transfer))
        if let upload { request.body.startFeeding(upload) }
        return StreamedResponse(head: try await exchange.head(), body: TransferChunks(exchange: exchange))
    }

    /// Sends the request and returns the complete response.
    /// - Parameter limit: the longest body accepted; a longer one ends in ``TransferError/Code/tooLarge``.
    package func send(_ request: TransferRequest, limit: Int = 8 * 1024 * 1024) async throws -> TransferResponse {
        let response = try await stream(request)
        let body = try await response.body.collect(upTo: limit)
        return TransferResponse(
            status: response.status, headers: response.headers, body: body, peer: response.body.exchange.peer)
    }
}

extension TransferBody {
    fileprivate func makeChannel(resume: @escaping @Sendable () -> Void) -> UploadChannel? {
        guard case .stream = content else { return nil }
        return UploadChannel(resume: resume)
    }

    /// Pumps the source into the channel. Nobody awaits the task: it ends with the source, and closing the channel,
    /// which every end of the transfer does, cancels it.
    fileprivate func startFeeding(_ channel: UploadChannel) {
        guard case .stream(_, let feed) = content else { return }
        let task = Task {
            do {
                try await feed(channel)
                channel.end()
            } catch {
                channel.end(throwing: error)
            }
        }
        channel.onClose { task.cancel() }
    }
}
