import CurlTransfer
package import FoundationEssentials
import HTTPTypes
import PlatformModel

/// Which part of a container's log to read.
package struct LogSelection: Sendable, Hashable {
    /// Only this many last lines; nil for all.
    package var tail: Int?
    /// Go on with what is written from now on, until the container ends.
    package var follows: Bool
    /// Only what was written at or after this moment.
    package var since: Date?

    package init(tail: Int? = nil, follows: Bool = false, since: Date? = nil) {
        self.tail = tail
        self.follows = follows
        self.since = since
    }
}

/// A container's output, chunk by chunk; dropping it ends the request.
package struct OutputChunks: AsyncSequence, Sendable {
    package typealias Element = OutputChunk
    package typealias Failure = any Error

    let source: TransferChunks

    package struct AsyncIterator: AsyncIteratorProtocol {
        var source: TransferChunks.AsyncIterator
        var frames = LogFrames()
        var ready: [OutputChunk] = []

        package mutating func next() async throws -> OutputChunk? {
            while ready.isEmpty {
                do {
                    guard let bytes = try await source.next() else { return nil }
                    ready = try frames.consume(bytes).reversed()
                } catch let error as TransferError {
                    throw PodmanError(error)
                }
            }
            return ready.removeLast()
        }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: source.makeAsyncIterator()) }
}

extension PodmanClient {
    /// The output a container has written.
    package func logs(of container: String, _ selection: LogSelection = LogSelection()) async throws -> OutputChunks {
        var query = [QueryItem("stdout", true), QueryItem("stderr", true), QueryItem("follow", selection.follows)]
        if let tail = selection.tail { query.append(QueryItem("tail", tail)) }
        if let since = selection.since { query.append(QueryItem("since", since.wire)) }
        let response = try await open(.get, "containers/\(container.percentEncoded)/logs", query: query)
        return OutputChunks(source: response.body)
    }
}
