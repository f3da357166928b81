/// The content of a request.
package struct TransferBody: Sendable {
    enum Content: Sendable {
        case none
        case bytes([UInt8])
        case file(path: String, offset: Int64, length: Int64?)
        case stream(length: Int64?, feed: @Sendable (UploadChannel) async throws -> Void)
    }

    let content: Content

    private init(_ content: Content) { self.content = content }

    /// No content; methods that usually have some send a length of zero.
    package static let none = Self(.none)

    /// These bytes; can be sent again when a kept connection turns out to be dead.
    package static func bytes(_ bytes: [UInt8]) -> Self { Self(.bytes(bytes)) }

    /// The UTF-8 bytes of a text.
    package static func text(_ text: String) -> Self { Self(.bytes(Array(text.utf8))) }

    /// A region of a file, read while it is sent; `length` nil means up to the end.
    package static func file(_ path: String, offset: Int64 = 0, length: Int64? = nil) -> Self {
        Self(.file(path: path, offset: offset, length: length))
    }

    /// Chunks as they come; the source is asked for more only as fast as the peer takes them.
    ///
    /// Without a `length` the request is sent chunked. The body can be sent once: the request fails with
    /// ``TransferError/Code/interrupted`` where it would have to be repeated. An error of the source ends the
    /// transfer with ``TransferError/Code/bodyFailed``.
    package static func stream<Source: AsyncSequence & Sendable>(
        _ source: Source, length: Int64? = nil
    ) -> Self where Source.Element == [UInt8] {
        Self(
            .stream(length: length) { channel in
                for try await chunk in source { try await channel.write(chunk) }
            })
    }

    /// Whether the body can be produced again for a second attempt.
    package var isReplayable: Bool {
        if case .stream = content { return false }
        return true
    }
}
