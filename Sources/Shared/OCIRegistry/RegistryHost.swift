/// Where a registry listens: a host name or address and an optional port.
package struct RegistryHost: Hashable, Sendable {
    /// The host name, IPv4 address, or IPv6 address without its brackets, in lower case.
    package let name: String
    /// The port when one is written.
    package let port: Int?

    /// Reads `name`, `name:port`, `[v6]` or `[v6]:port`.
    package init(_ text: String) throws(OCIError) {
        let (name, port) = try Self.split(text)
        guard Self.isAddressV6(name) || Self.isHostName(name) else {
            throw OCIError(.invalidHost, "A registry host is a host name or an address.")
        }
        self.name = name.lowercased()
        self.port = port
    }

    /// Whether the host is this machine by its very name: `localhost`, a name below `.localhost`, an IPv4 address in
    /// 127.0.0.0/8, or `::1`.
    ///
    /// Decided on whole labels, so `localhost.example.com` and `127.0.0.1.example.com` are not loopback.
    package var isLoopback: Bool {
        if name == "::1" { return true }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        if labels.last == "localhost" { return true }
        let octets = labels.compactMap { UInt8($0) }
        return labels.count == 4 && octets.count == 4 && octets[0] == 127
    }

    /// Whether the first component of a reference names a host rather than a part of the repository.
    static func looksLikeHost(_ component: Substring) -> Bool {
        component == "localhost" || component.contains(".") || component.contains(":")
            || component.contains { $0.isUppercase }
    }

    private static func split(_ text: String) throws(OCIError) -> (String, Int?) {
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else {
                throw OCIError(.invalidHost, "The bracket of an IPv6 address is not closed.")
            }
            let name = String(text[text.index(after: text.startIndex)..<close])
            guard isAddressV6(name) else { throw OCIError(.invalidHost, "Brackets hold an IPv6 address.") }
            let rest = text[text.index(after: close)...]
            return (name, rest.isEmpty ? nil : try port(rest))
        }
        guard let colon = text.firstIndex(of: ":") else { return (text, nil) }
        return (String(text[..<colon]), try port(text[colon...]))
    }

    private static func port(_ text: Substring) throws(OCIError) -> Int {
        let digits = text.dropFirst()
        guard text.hasPrefix(":"), (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy(isDigit),
            let port = UInt16(digits), port > 0
        else { throw OCIError(.invalidHost, "A registry port is a number from 1 to 65535.") }
        return Int(port)
    }

    private static func isHostName(_ text: String) -> Bool {
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return text.utf8.count <= 253
            && labels.allSatisfy { label in
                (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                    && label.allSatisfy { isDigit($0) || isLetter($0) || $0 == UInt8(ascii: "-") }
            }
    }

    private static func isAddressV6(_ text: String) -> Bool {
        let groups = text.split(separator: ":", omittingEmptySubsequences: false)
        return (3...8).contains(groups.count)
            && groups.allSatisfy { $0.utf8.count <= 4 && $0.allSatisfy { $0.isASCII && $0.isHexDigit } }
            && (groups.count == 8 || text.contains("::"))
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}

extension RegistryHost: CustomStringConvertible {
    package var description: String {
        let host = name.contains(":") ? "[\(name)]" : name
        return port.map { "\(host):\($0)" } ?? host
    }
}

extension RegistryHost: Codable {
    package init(from decoder: any Decoder) throws {
        try self.init(String(from: decoder))
    }

    package func encode(to encoder: any Encoder) throws {
        try description.encode(to: encoder)
    }
}
