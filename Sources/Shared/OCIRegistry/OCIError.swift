/// Why a name, reference or document of a registry is not acceptable.
package struct OCIError: Error, Hashable, Sendable {
    /// What kind of value was refused.
    package struct Code: Hashable, Sendable {
        private enum Name {
            case repositoryName, tag, digest, host, reference, manifest, configuration
        }

        private let name: Name

        /// A repository name outside the grammar or longer than 255 characters.
        package static let invalidRepositoryName = Self(name: .repositoryName)
        /// A tag outside the grammar or longer than 128 characters.
        package static let invalidTag = Self(name: .tag)
        /// A digest that is malformed or of an algorithm we do not compute.
        package static let invalidDigest = Self(name: .digest)
        /// A registry host that is no host name or address, or whose port is out of range.
        package static let invalidHost = Self(name: .host)
        /// An image reference whose parts do not fit together.
        package static let invalidReference = Self(name: .reference)
        /// A manifest or index that cannot be read or contradicts itself.
        package static let invalidManifest = Self(name: .manifest)
        /// An image configuration that cannot be read.
        package static let invalidConfiguration = Self(name: .configuration)
    }

    /// What kind of value was refused; callers branch on this.
    package let code: Code
    /// One sentence for a person, naming what is wrong and never repeating more than the offending part.
    package let reason: String

    /// Creates an error for a value that was refused.
    package init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }
}

extension OCIError: CustomStringConvertible {
    package var description: String { reason }
}
