/// Why an operation of an object store failed.
package struct ObjectStorageError: Error, Sendable {
    /// What went wrong, as far as callers act on it.
    package struct Code: Hashable, Sendable {
        private enum Name {
            case notFound, invalidKey, invalidConfiguration, rangeNotSatisfiable, denied, storageFull, unavailable,
                conflict, failed
        }

        private let name: Name

        /// There is no object of that key.
        package static let notFound = Self(name: .notFound)
        /// The text is no object key.
        package static let invalidKey = Self(name: .invalidKey)
        /// The storage URL or its credentials cannot be used.
        package static let invalidConfiguration = Self(name: .invalidConfiguration)
        /// The range begins behind the end of the object.
        package static let rangeNotSatisfiable = Self(name: .rangeNotSatisfiable)
        /// The store refuses our credentials or rights.
        package static let denied = Self(name: .denied)
        /// No space is left.
        package static let storageFull = Self(name: .storageFull)
        /// The store did not answer in time or asked us to come back; all attempts were used.
        package static let unavailable = Self(name: .unavailable)
        /// The key is a folder of other keys, or the other way round, in a store made of files.
        package static let conflict = Self(name: .conflict)
        /// Anything else; see the detail.
        package static let failed = Self(name: .failed)
    }

    /// What went wrong.
    package let code: Code
    /// For the log: what was tried and what the store said.
    package let detail: String

    /// Creates an error.
    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }
}

extension ObjectStorageError: CustomStringConvertible {
    package var description: String { "object storage: \(detail)" }
}

extension ObjectStorageError {
    /// Turns a failed system call into the error of a store.
    init(_ failure: FileFailure) {
        let code: Code =
            switch failure.condition {
            case .missing: .notFound
            case .full: .storageFull
            case .forbidden: .denied
            case .wrongKind: .conflict
            case .other: .failed
            }
        self.init(code, failure.description)
    }
}
