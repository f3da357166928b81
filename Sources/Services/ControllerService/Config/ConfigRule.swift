import PlatformModel

/// The rules for single members of a config request; each answers with the sentence to show, or nil.
enum ConfigRule {
    static func require(_ problem: String?, _ field: String) throws(Refusal) {
        if let problem { throw .field(field, problem) }
    }

    static func ptype(_ name: String) -> String? { ProcessTypeRule.problem(with: name) }

    /// Names of variables and groups: `^[A-z0-9_\-\.]+$`, where `A-z` also covers the six characters between the cases.
    static func key(_ name: String) -> String? {
        let isAllowed =
            !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (0x41...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2E
            }
        return isAllowed ? nil : #"Config key can only supports: ^[A-z0-9_\-\.]+$"#
    }

    static func checkPort(_ text: String) throws(Refusal) {
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(text) else {
            throw .field("values", "PORT can only be a numeric value")
        }
        guard (1...65_535).contains(port) else { throw .field("values", "PORT needs to be between 1 and 65535") }
    }

    static func checkTag(key: String, value: JSONValue) throws(Refusal) {
        let parts = key.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2 {
            guard parts[0].utf8.count <= 253 else {
                throw .field("tags", "Tag key prefixes must 253 characters or less.")
            }
            guard parts[0].split(separator: ".", omittingEmptySubsequences: false).allSatisfy({ isLabelText($0) })
            else { throw .field("tags", "Tag key prefixes must be DNS subdomains.") }
        }
        guard let name = parts.last, isLabelText(name) else {
            throw .field("tags", #"Tag keys must be alphanumeric or "-_.", and 1-63 characters."#)
        }
        guard let text = value.scalarText, isLabelText(Substring(text)) else {
            throw .field("tags", #"Tag values must be alphanumeric or "-_.", and 1-63 characters."#)
        }
    }

    /// `^(?:[a-zA-Z\d][-\.\w]{0,61})?[a-zA-Z\d]$`
    private static func isLabelText(_ text: Substring) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...63).contains(bytes.count), let first = bytes.first, let last = bytes.last else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && bytes.allSatisfy { isAlphanumeric($0) || "-_.".utf8.contains($0) }
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
    }
}
