import PlatformModel

/// What a host or certificate must be like to be let onto the edge.
package struct TableRules: Sendable {
    /// Names of the platform's own hosts, in lower case.
    private let reserved: Set<String>
    private let isUsable: @Sendable (CertificateEntry) -> Bool

    /// - Parameter isUsable: whether chain and key of a certificate belong together; false leaves it out.
    package init(reserved: Set<String>, isUsable: @escaping @Sendable (CertificateEntry) -> Bool) {
        self.reserved = reserved
        self.isUsable = isUsable
    }

    static let claimed = "the name is claimed by an earlier entry"

    func fault(of entry: CertificateEntry) -> String? {
        if !Self.isToken(entry.id) { return "the certificate's id is not a plain word" }
        return isUsable(entry) ? nil : "the certificate and its key cannot be used together"
    }

    /// - Parameter name: the host's name in lower case.
    func fault(of entry: HostEntry, name: String) -> String? {
        if DomainName(ifValid: name) == nil { return "it is not a host name" }
        if reserved.contains(name) { return "the name belongs to the platform" }
        if !Self.isToken(entry.app) { return "the app's name is not a plain word" }
        if let backend = entry.backends.first(where: { !Self.isUsable($0) }) {
            return "the backend \(backend.address) port \(backend.port) is not an address and port"
        }
        return nil
    }

    private static func isUsable(_ backend: Backend) -> Bool {
        (1...65535).contains(backend.port) && IPAddressText.isAddress(backend.address)
    }

    private static func isToken(_ text: String) -> Bool {
        (1...128).contains(text.utf8.count) && text.utf8.allSatisfy { NginxText.isWordByte($0) }
    }
}
