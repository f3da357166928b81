internal import COpenSSL

/// Why a cryptographic operation did not produce a result.
///
/// `description` names the kind of failure only: it may reach a log or a terminal beside data that must stay secret.
/// OpenSSL's own reason is in ``detail`` and in `String(reflecting:)`.
package struct CryptoError: Error, CustomStringConvertible, CustomDebugStringConvertible {
    /// The kinds of failure a caller may branch on.
    package struct Code: Hashable, Sendable {
        private enum Kind: String {
            case authenticationFailed, badEncoding, badInput, badKey, busy, libraryFailure
        }

        private let kind: Kind

        /// The sealed text was changed, cut, or sealed with another key or other associated data.
        package static let authenticationFailed = Self(kind: .authenticationFailed)
        /// Text that should hold hexadecimal, base64, PEM or a password record holds something else.
        package static let badEncoding = Self(kind: .badEncoding)
        /// An argument is outside the range the algorithm accepts.
        package static let badInput = Self(kind: .badInput)
        /// The key is of another type than the operation needs, or it is damaged.
        package static let badKey = Self(kind: .badKey)
        /// The bounded queue of a slow operation is full; the caller should answer "try again".
        package static let busy = Self(kind: .busy)
        /// OpenSSL refused an operation that valid arguments should allow.
        package static let libraryFailure = Self(kind: .libraryFailure)

        /// The stable name of the kind.
        package var name: String { kind.rawValue }
    }

    /// The kind of failure.
    package let code: Code
    /// OpenSSL's reason or ours; never holds key material or plain text.
    package let detail: String

    /// An error of our own checks, without OpenSSL's queue.
    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { "cryptographic operation failed (\(code.name))" }

    package var debugDescription: String { "CryptoError.\(code.name): \(detail)" }
}

extension CryptoError {
    /// Builds an error from the calling thread's OpenSSL queue and empties it.
    ///
    /// Must be called before the thread is left by an `await`.
    static func fromLibrary(_ code: Code = .libraryFailure, _ operation: String) -> CryptoError {
        var reasons: [String] = []
        while true {
            let number = ERR_get_error()
            if number == 0 { break }
            if let text = unsafe ERR_reason_error_string(number) { unsafe reasons.append(String(cString: text)) }
        }
        let reason = reasons.isEmpty ? "no reason given" : reasons.joined(separator: ", ")
        return CryptoError(code, "\(operation): \(reason)")
    }
}

/// Turns OpenSSL's "1 is success" into a throw.
func requireSuccess(
    _ result: CInt, _ operation: String, code: CryptoError.Code = .libraryFailure
) throws(CryptoError) {
    guard result == 1 else { throw CryptoError.fromLibrary(code, operation) }
}

/// Lends the bytes of any sequence as one buffer, copying only when they are not contiguous.
func withContiguousBytes<Result, Failure: Error>(
    of bytes: some Sequence<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Result
) throws(Failure) -> Result {
    typealias Outcome = Swift.Result<Result, Failure>
    func run(_ buffer: UnsafeBufferPointer<UInt8>) -> Outcome {
        do throws(Failure) { return .success(try unsafe body(buffer)) } catch { return .failure(error) }
    }
    if let outcome = bytes.withContiguousStorageIfAvailable({ unsafe run($0) }) { return try outcome.get() }
    let copy = Array(bytes)
    return try unsafe copy.withUnsafeBufferPointer({ unsafe run($0) }).get()
}
