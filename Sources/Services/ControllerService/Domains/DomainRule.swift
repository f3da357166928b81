import PlatformModel

/// Turns what people write as a host name into the ASCII form that is stored.
enum DomainRule {
    /// One trailing dot is cut; labels become their ASCII form (RFC 5891); a leading `*` label is kept.
    ///
    /// - Throws: ``Refusal`` 400 under `domain`.
    static func normalize(_ text: String) throws(Refusal) -> String {
        let name = text.hasSuffix(".") ? String(text.dropLast()) : text
        guard name != "*" else { throw .field("domain", "Hostname can't only be a wildcard") }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        var ascii: [String] = []
        for (index, label) in labels.enumerated() {
            if index == 0, label == "*", labels.count > 1 {
                ascii.append(label)
            } else {
                ascii.append(try convert(label, of: text))
            }
        }
        let result = ascii.joined(separator: ".")
        guard result.utf8.count <= 253 else { throw .field("domain", "Hostname must be 253 characters or less.") }
        guard let last = ascii.last, !last.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw .field("domain", "Hostname does not look valid.")
        }
        guard DomainName(ifValid: result) != nil else { throw .field("domain", "Hostname does not look valid.") }
        return result
    }

    private static func convert(_ label: String, of name: String) throws(Refusal) -> String {
        let lowered = label.lowercased()
        func problem(_ reason: String) -> Refusal {
            .field("domain", "Hostname does not look valid, could not convert to ACE \(name): \(reason)")
        }
        guard !lowered.isEmpty else { throw problem("Empty Label") }
        if lowered.utf8.allSatisfy({ $0 < 0x80 }) {
            guard lowered.utf8.count <= 63 else { throw problem("Label too long") }
            return lowered
        }
        let scalars = lowered.unicodeScalars
        guard scalars.allSatisfy(isAllowed), lowered.first != "-", lowered.last != "-" else {
            throw problem("a character is not allowed in host names")
        }
        guard let encoded = Punycode.encode(Array(scalars)), encoded.utf8.count <= 59 else {
            throw problem("Label too long")
        }
        return "xn--" + encoded
    }

    /// Letters, marks and digits; hyphens from ASCII. RFC 5892 derives its table from these properties.
    private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.isASCII { return scalar == "-" || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) }
        switch scalar.properties.generalCategory {
        case .lowercaseLetter, .otherLetter, .modifierLetter, .nonspacingMark, .spacingMark, .decimalNumber: return true
        default: return false
        }
    }
}

/// RFC 3492: how labels of other scripts are written in ASCII.
enum Punycode {
    private static let base = 36
    private static let minimum = 1
    private static let maximum = 26
    private static let skew = 38
    private static let damp = 700

    /// Nil when a number overflows, which no label of lawful length does.
    static func encode(_ input: [Unicode.Scalar]) -> String? {
        let basic = input.filter(\.isASCII)
        var output = String(String.UnicodeScalarView(basic))
        if !basic.isEmpty { output += "-" }
        var (code, delta, bias, handled) = (128, 0, 72, basic.count)
        while handled < input.count {
            guard let next = input.map({ Int($0.value) }).filter({ $0 >= code }).min() else { return nil }
            let (product, overflow) = (next - code).multipliedReportingOverflow(by: handled + 1)
            guard !overflow else { return nil }
            delta += product
            code = next
            for scalar in input {
                if scalar.value < code { delta += 1 }
                guard scalar.value == code else { continue }
                output += digits(of: delta, bias: bias)
                bias = adapt(delta, count: handled + 1, isFirst: handled == basic.count)
                delta = 0
                handled += 1
            }
            delta += 1
            code += 1
        }
        return output
    }

    private static func digits(of delta: Int, bias: Int) -> String {
        var (rest, text, position) = (delta, "", base)
        while true {
            let threshold = position <= bias ? minimum : min(maximum, position - bias)
            guard rest >= threshold else { return text + digit(rest) }
            text += digit(threshold + (rest - threshold) % (base - threshold))
            rest = (rest - threshold) / (base - threshold)
            position += base
        }
    }

    private static func digit(_ value: Int) -> String {
        String(Character(Unicode.Scalar(UInt8(value < 26 ? value + 97 : value + 22))))
    }

    private static func adapt(_ delta: Int, count: Int, isFirst: Bool) -> Int {
        var delta = isFirst ? delta / damp : delta / 2
        delta += delta / count
        var position = 0
        while delta > (base - minimum) * maximum / 2 {
            delta /= base - minimum
            position += base
        }
        return position + (base - minimum + 1) * delta / (delta + skew)
    }
}
