/// What is wrong with bytes that should be MessagePack; holds no content of them.
package enum MessagePackError: Error, Equatable, Sendable {
    /// The bytes end inside a value.
    case incomplete
    /// A byte that begins no value.
    case malformed
    /// A value of another type stands where this one was expected.
    case unexpectedType
    /// A length or a nesting beyond the limits.
    case limitExceeded
}
