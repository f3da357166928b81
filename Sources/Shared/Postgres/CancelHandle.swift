import CLibPQ

/// What it takes to ask the server to stop a connection's statement, from any thread.
@safe final class CancelHandle: @unchecked Sendable {
    // Invariant: libpq documents a cancel object as usable from any thread, and it is not changed after it was made.
    private let pointer: OpaquePointer

    /// - Parameter pointer: taken over from PQgetCancel.
    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = unsafe pointer
    }

    deinit { unsafe PQfreeCancel(pointer) }

    /// Sends the request over a connection of its own; blocks for as long as the server takes to accept it.
    ///
    /// A refused request changes nothing: whoever waits for the statement has a time limit.
    func request() {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { message in
            _ = unsafe PQcancel(pointer, message.baseAddress, CInt(message.count))
        }
    }
}
