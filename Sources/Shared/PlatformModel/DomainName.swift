/// A host name that routes to an app, or a wildcard for the labels below it (`*.example.com`).
///
/// Labels after RFC 1123: 1 to 63 characters of a-z, 0-9 and hyphens, no hyphen at an end; 253 characters in all.
/// Upper case is folded, because host names compare without case.
package struct DomainName: ValidatedName {
    package let text: String

    /// Whether the name stands for every host one label below it.
    package var isWildcard: Bool { text.hasPrefix("*.") }

    package init(_ text: String) throws(InvalidValue) {
        let folded = text.lowercased()
        let host = folded.hasPrefix("*.") ? String(folded.dropFirst(2)) : folded
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...253).contains(folded.utf8.count), !labels.isEmpty, labels.allSatisfy({ Self.isLabel($0) }) else {
            throw InvalidValue(kind: "domain", message: "Hostname does not look valid.")
        }
        self.text = folded
    }

    private static func isLabel(_ label: Substring) -> Bool {
        guard (1...63).contains(label.utf8.count), let first = label.utf8.first, let last = label.utf8.last else {
            return false
        }
        return NameRule.isLowercaseOrDigit(first) && NameRule.isLowercaseOrDigit(last)
            && label.utf8.allSatisfy { NameRule.isLowercaseOrDigit($0) || NameRule.isHyphen($0) }
    }
}
