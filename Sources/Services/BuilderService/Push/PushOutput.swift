/// Turns the events of a build run into the lines a pusher sees.
///
/// One line a phase with its duration; the output of commands is shown only when asked for (`git push -o verbose`)
/// or, its
/// last lines, when the run fails. Lines stay within 80 columns with git's `remote: ` before them; words too long for
/// that
/// are not cut.
struct PushOutput {
    private static let width = 72
    private static let margin = 17
    private static let textWidth = 40
    private static let tailLength = 20

    let isVerbose: Bool
    private var tail: [String] = []
    private var tailPhase: String?
    private var isTailShown = false
    private var quietBeats = 0

    init(isVerbose: Bool) { self.isVerbose = isVerbose }

    mutating func lines(for event: RunEvent) -> [String] {
        guard let kind = event.kind else { return event.heartbeat == true ? beat() : [] }
        quietBeats = 0
        let text = Self.plain(event.text ?? "")
        switch kind {
        case .header: return Self.wrapped(text, first: "-----> ", rest: "       ")
        case .line: return line(text, phase: event.phase ?? "build")
        case .phase:
            tail = []
            tailPhase = nil
            return Self.row(mark: "----->", phase: event.phase ?? "", text: text, seconds: event.seconds)
        case .end: return end(event, text: event.text ?? "")
        }
    }

    private mutating func line(_ text: String, phase: String) -> [String] {
        if tailPhase != phase { tail = [] }
        tailPhase = phase
        tail.append(text)
        if tail.count > Self.tailLength { tail.removeFirst(tail.count - Self.tailLength) }
        return isVerbose ? ["       " + text] : []
    }

    /// Something every half minute, so that neither a person nor a load balancer thinks the line dead.
    private mutating func beat() -> [String] {
        quietBeats += 1
        guard let phase = tailPhase, !isVerbose else {
            return quietBeats % 3 == 0 ? Self.row(mark: "      ", phase: "waiting", text: "", seconds: nil) : []
        }
        let last = tail.last { !$0.isEmpty } ?? ""
        let text = last.count > Self.textWidth ? String(last.prefix(Self.textWidth - 3)) + "..." : last
        return Self.row(mark: "      ", phase: phase, text: text, seconds: nil)
    }

    private func end(_ event: RunEvent, text: String) -> [String] {
        let state = event.state ?? .failed
        let parts = text.split(separator: "\n", omittingEmptySubsequences: false).map { Self.plain(String($0)) }
        var lines: [String] = []
        if state == .failed, !isVerbose, !tail.isEmpty {
            lines.append("       last output of \(tailPhase ?? "the build"):")
            lines += tail.map { "       " + $0 }
        }
        lines += Self.row(
            mark: "=====>", phase: state.rawValue, text: parts.first ?? "", seconds: event.seconds)
        for part in parts.dropFirst() {
            lines += Self.wrapped(part, first: "       ", rest: "       ")
        }
        return lines
    }

    // MARK: Layout

    /// Mark, phase, text and a duration at the right.
    static func row(mark: String, phase: String, text: String, seconds: Double?) -> [String] {
        let head = "\(mark) " + padded(phase, to: 9) + " "
        let time = seconds.map { Self.duration($0) } ?? ""
        let gap = String(repeating: " ", count: max(0, head.count))
        var rows = wrapped(text, first: head, rest: gap, reserve: time.isEmpty ? 0 : time.count + 1)
        guard !time.isEmpty, let last = rows.popLast() else { return rows.map(trimmed) }
        let column = margin + textWidth + 6
        let filled = padded(last, to: max(last.count + 1, column - time.count))
        return (rows + [filled + time]).map(trimmed)
    }

    /// Breaks at spaces so that no line is longer than the width, unless one word is.
    static func wrapped(_ text: String, first: String, rest: String, reserve: Int = 0) -> [String] {
        var lines: [String] = []
        var current = first
        var isFresh = true
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            let needed = current.count + (isFresh ? 0 : 1) + word.count
            if !isFresh, needed > width - reserve {
                lines.append(trimmed(current))
                current = rest + word
            } else {
                current += (isFresh ? "" : " ") + word
            }
            isFresh = false
        }
        return lines + [current]
    }

    static func duration(_ seconds: Double) -> String {
        let hundredths = Int((max(0, min(seconds, 1e6)) * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)s"
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func trimmed(_ text: String) -> String {
        var text = text[...]
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }

    /// Text without control characters: the output of a build must not steer the pusher's terminal.
    static func plain(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.filter { $0.value >= 0x20 && !(0x7f...0x9f).contains($0.value) }))
    }
}
