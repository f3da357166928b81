package import FoundationEssentials
package import HTTPTypes

/// Status and headers of a response.
package struct TransferHead: Sendable {
    package let status: Int
    package let headers: HTTPFields

    package init(status: Int, headers: HTTPFields) {
        self.status = status
        self.headers = headers
    }

    /// Whether the status lies in 200–299.
    package var isSuccess: Bool { (200..<300).contains(status) }
}

/// A response whose body is complete and in memory.
package struct TransferResponse: Sendable {
    package let head: TransferHead
    package let body: [UInt8]
    let peer: String

    package var status: Int { head.status }
    package var headers: HTTPFields { head.headers }
    /// Whether the status lies in 200–299.
    package var isSuccess: Bool { head.isSuccess }

    package init(status: Int, headers: HTTPFields = [:], body: [UInt8] = [], peer: String = "") {
        self.head = TransferHead(status: status, headers: headers)
        self.body = body
        self.peer = peer
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    package var text: String { String(decoding: body, as: UTF8.self) }

    /// This response, if its status lies in 200–299.
    /// - Throws: ``TransferError`` with ``TransferError/Code/unexpectedStatus`` otherwise.
    package func requireSuccess() throws(TransferError) -> Self {
        guard isSuccess else {
            throw TransferError(
                .unexpectedStatus, peer: peer, detail: "The server refused the request.", status: status)
        }
        return self
    }

    /// The body decoded from JSON, whatever the status.
    /// - Throws: ``TransferError`` with ``TransferError/Code/invalidResponse`` when it is not such a value.
    package func decode<Value: Decodable>(
        _ type: Value.Type, using decoder: JSONDecoder = JSONDecoder()
    ) throws(TransferError) -> Value {
        do {
            return try decoder.decode(type, from: Data(body))
        } catch {
            throw TransferError(
                .invalidResponse, peer: peer, detail: "The response is not the expected JSON.", underlying: error)
        }
    }
}

/// A response whose body is still arriving.
///
/// Dropping the body before its end ends the transfer and its connection.
package struct StreamedResponse: Sendable {
    package let head: TransferHead
    package let body: TransferChunks

    package var status: Int { head.status }
    package var headers: HTTPFields { head.headers }
    /// Whether the status lies in 200–299.
    package var isSuccess: Bool { head.isSuccess }
}

/// The chunks of a response, for one reader.
///
/// At most about 256 KiB wait in memory; then the peer is held back until the reader takes them. Iteration throws
/// ``TransferError`` when the transfer fails and `CancellationError` when the reading task is cancelled, which also
/// ends the transfer.
package struct TransferChunks: AsyncSequence, Sendable {
    package typealias Element = [UInt8]
    package typealias Failure = any Error

    let exchange: Exchange

    /// Reads the chunks in order.
    package struct AsyncIterator: AsyncIteratorProtocol {
        let exchange: Exchange

        package mutating func next() async throws -> [UInt8]? {
            try await exchange.nextChunk()
        }

        package mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
            try await exchange.nextChunk()
        }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(exchange: exchange) }

    /// The whole remaining body.
    /// - Throws: ``TransferError`` with ``TransferError/Code/tooLarge`` past `limit` bytes, which ends the transfer.
    package func collect(upTo limit: Int) async throws -> [UInt8] {
        var collected: [UInt8] = []
        for try await chunk in self {
            guard collected.count + chunk.count <= limit else {
                exchange.abandon()
                throw TransferError(
                    .tooLarge, peer: exchange.peer, detail: "The response is longer than allowed.")
            }
            if collected.isEmpty { collected = chunk } else { collected += chunk }
        }
        return collected
    }
}
