import ForwardProtocol
import FoundationEssentials

/// One line of a log file: a record of a container's output, or a part of one.
struct ParsedLine: Equatable {
    /// Nil when the line does not say.
    var time: ForwardTime?
    var isStderr = false
    /// The record ends here.
    var isComplete = true
    var isMalformed = false
    var content: ArraySlice<UInt8>
}

/// Reads the lines container runtimes write, each by itself: no memory of earlier lines.
enum LineParser {
    private static let space = UInt8(ascii: " ")

    /// Never fails: a line of neither format is taken as it stands.
    static func parse(_ line: ArraySlice<UInt8>) -> ParsedLine {
        var line = line
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        let parsed = line.first == UInt8(ascii: "{") ? docker(line) : cri(line)
        return parsed ?? ParsedLine(isMalformed: true, content: line)
    }

    /// `TIME SP STREAM SP TAGS SP CONTENT`
    private static func cri(_ line: ArraySlice<UInt8>) -> ParsedLine? {
        guard let first = line.firstIndex(of: space),
            let second = line[(first + 1)...].firstIndex(of: space),
            let stream = stream(line[(first + 1)..<second]),
            let time = ForwardTime(rfc3339: String(decoding: line[..<first].prefix(64), as: UTF8.self))
        else { return nil }
        // A runtime may leave out the space before empty content.
        let third = line[(second + 1)...].firstIndex(of: space) ?? line.endIndex
        let tag = line[(second + 1)..<third].prefix { $0 != UInt8(ascii: ":") }
        guard tag.count == 1, let kind = tag.first, kind == UInt8(ascii: "F") || kind == UInt8(ascii: "P") else {
            return nil
        }
        return ParsedLine(
            time: time, isStderr: stream, isComplete: kind == UInt8(ascii: "F"),
            content: line[min(third + 1, line.endIndex)...])
    }

    private static func stream(_ name: ArraySlice<UInt8>) -> Bool? {
        if name.elementsEqual("stdout".utf8) { return false }
        return name.elementsEqual("stderr".utf8) ? true : nil
    }

    private struct DockerLine: Decodable {
        let log: String
        let stream: String?
        let time: String?
    }

    /// `{"log":"text\n","stream":"stdout","time":"…"}`; without the line end the record goes on.
    private static func docker(_ line: ArraySlice<UInt8>) -> ParsedLine? {
        // A line that is no such object is shipped as it stands and counted.
        guard let decoded = try? JSONDecoder().decode(DockerLine.self, from: Data(line)) else { return nil }
        var content = Array(decoded.log.utf8)[...]
        let isComplete = content.last == UInt8(ascii: "\n")
        if isComplete { content.removeLast() }
        if isComplete, content.last == UInt8(ascii: "\r") { content.removeLast() }
        return ParsedLine(
            time: decoded.time.flatMap { ForwardTime(rfc3339: $0) }, isStderr: decoded.stream == "stderr",
            isComplete: isComplete, content: content)
    }
}
