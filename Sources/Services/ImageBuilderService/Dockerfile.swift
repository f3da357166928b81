/// A Dockerfile as far as naming a failing line needs it: its instructions with the lines they begin on.
///
/// Follows the reference of the Dockerfile format for continuation lines, comments, the escape directive and
/// here-documents.
struct Dockerfile: Sendable {
    struct Instruction: Sendable, Equatable {
        /// Line the instruction begins on, from 1.
        let line: Int
        /// Upper-cased keyword, such as `RUN`.
        let keyword: String
        /// The whole instruction with continuation lines joined.
        let text: String
    }

    let text: String
    let instructions: [Instruction]

    init(_ text: String) {
        self.text = text
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        instructions = Self.parse(lines)
    }

    /// The instruction a build step names, found by its text without regard to white space.
    func instruction(matching step: String) -> Instruction? {
        let wanted = Self.squeezed(step)
        return instructions.first { Self.squeezed($0.text) == wanted }
            ?? instructions.first { !wanted.isEmpty && Self.squeezed($0.text).hasPrefix(wanted) }
    }

    private static func parse(_ lines: [String]) -> [Instruction] {
        let escape = lines.lazy.prefix(3).contains { squeezed($0).lowercased() == "#escape=`" } ? Character("`") : "\\"
        var instructions: [Instruction] = []
        var pending: (line: Int, text: String)?
        var delimiter: String?
        for (index, raw) in lines.enumerated() {
            let line = trimmed(raw)
            if let end = delimiter {
                if line == end { delimiter = nil }
                continue
            }
            if line.isEmpty || line.hasPrefix("#") { continue }
            let continues = line.last == escape
            let part = continues ? String(line.dropLast()) : line
            let start = pending?.line ?? index + 1
            let text = (pending?.text ?? "") + part
            if continues {
                pending = (start, text)
            } else {
                pending = nil
                instructions.append(instruction(line: start, text: text))
                delimiter = heredocDelimiter(of: text)
            }
        }
        if let pending { instructions.append(instruction(line: pending.line, text: pending.text)) }
        return instructions
    }

    private static func instruction(line: Int, text: String) -> Instruction {
        let keyword = text.split(whereSeparator: \.isWhitespace).first.map { $0.uppercased() } ?? ""
        return Instruction(line: line, keyword: keyword, text: text)
    }

    /// `RUN <<EOF` begins a here-document that ends at a line holding only `EOF`.
    private static func heredocDelimiter(of text: String) -> String? {
        guard let range = text.firstRange(of: "<<") else { return nil }
        let word = text[range.upperBound...].drop { $0 == "-" }.prefix { !$0.isWhitespace }
        let name = word.filter { $0 != "\"" && $0 != "'" }
        return name.isEmpty || name.contains("<") ? nil : name
    }

    private static func squeezed(_ text: String) -> String { text.filter { !$0.isWhitespace } }

    private static func trimmed(_ text: String) -> String {
        var text = text[...]
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return String(text)
    }
}
