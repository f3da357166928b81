/// Text that programs wrote for a terminal, made plain.
enum TerminalText {
    /// `text` without ANSI escape sequences and control characters; of a line redrawn with carriage returns the last
    /// state.
    static func plain(_ text: String) -> String {
        var scalars: [Unicode.Scalar] = []
        var state = State.text
        for scalar in text.unicodeScalars {
            switch state {
            case .escape:
                state = scalar == "[" ? .sequence : scalar == "]" ? .command : .text
            case .sequence:
                // A control sequence ends with a byte from @ to ~ (ECMA-48, 5.4).
                if (0x40...0x7E).contains(scalar.value) { state = .text }
            case .command:
                if scalar.value == 0x07 { state = .text }
            case .text:
                if scalar.value == 0x1B {
                    state = .escape
                } else if scalar == "\r" {
                    scalars.removeAll(keepingCapacity: true)
                } else if scalar == "\t" || scalar.value >= 0x20 && scalar.value != 0x7F {
                    scalars.append(scalar)
                }
            }
        }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: scalars)
        return String(result)
    }

    private enum State {
        case text, escape, sequence, command
    }
}
