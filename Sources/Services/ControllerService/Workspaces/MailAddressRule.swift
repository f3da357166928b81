/// Whether a text can be a mail address: enough to catch mistakes, the mail itself is the proof.
enum MailAddressRule {
    static let sentence = "Enter a valid email address."

    static func isValid(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, text.utf8.count <= 254, !parts[0].isEmpty, parts[0].utf8.count <= 64 else {
            return false
        }
        let labels = parts[1].split(separator: ".", omittingEmptySubsequences: false)
        let isLocalFine = parts[0].utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"()<>[],;:\\\"".utf8.contains($0) }
        return isLocalFine && labels.count > 1
            && labels.allSatisfy { label in
                !label.isEmpty && label.utf8.count <= 63 && label.first != "-" && label.last != "-"
                    && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) || $0 == "-" }
            }
    }
}
