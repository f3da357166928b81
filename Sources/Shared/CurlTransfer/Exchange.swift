/// The reader's end of a transfer; dropping it ends the transfer.
final class Exchange: Sendable {
    let peer: String
    private let id: TransferLoop.ID
    private let channel: ResponseChannel
    private let loop: TransferLoop.Owner

    init(id: TransferLoop.ID, channel: ResponseChannel, peer: String, loop: TransferLoop.Owner) {
        self.id = id
        self.channel = channel
        self.peer = peer
        self.loop = loop
    }

    deinit { loop.loop.post(.cancel(id)) }

    func head() async throws -> TransferHead {
        try await withTaskCancellationHandler {
            try await channel.head()
        } onCancel: {
            abandon()
        }
    }

    func nextChunk() async throws -> [UInt8]? {
        try await withTaskCancellationHandler {
            try Task.checkCancellation()
            return try await channel.next { loop.loop.post(.resumeReceiving(id)) }
        } onCancel: {
            abandon()
        }
    }

    /// Ends the transfer; readers get `CancellationError` unless it was complete already.
    func abandon() {
        channel.finish(throwing: CancellationError())
        loop.loop.post(.cancel(id))
    }
}
