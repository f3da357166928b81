import FoundationEssentials

/// Timestamps in the text form of PostgreSQL's ISO date style, in UTC.
enum PostgresTimestamp {
    static func text(of date: Date) -> String {
        let microseconds = Int((date.timeIntervalSince1970 * 1_000_000).rounded())
        let (seconds, fraction) = floorDivide(microseconds, 1_000_000)
        let (days, secondOfDay) = floorDivide(seconds, 86_400)
        let (year, month, day) = civil(fromDays: days)
        let clock = [padded(secondOfDay / 3600, 2), padded(secondOfDay / 60 % 60, 2), padded(secondOfDay % 60, 2)]
        let era = year > 0 ? "" : " BC"
        let shownYear = padded(year > 0 ? year : 1 - year, 4)
        return
            "\(shownYear)-\(padded(month, 2))-\(padded(day, 2)) "
            + "\(clock.joined(separator: ":")).\(padded(fraction, 6))+00\(era)"
    }

    /// Reads `2026-05-10 16:08:09.123456+00`, with any offset; nil for anything else, infinity and BC included.
    static func date(from text: String) -> Date? {
        var reader = DigitReader(text)
        guard let year = reader.number(), reader.skip("-"), let month = reader.number(), reader.skip("-"),
            let day = reader.number(), (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        var seconds = 86_400 * days(fromYear: year, month: month, day: day)
        var fraction = 0.0
        if reader.skip(" ") {
            guard let hour = reader.number(), reader.skip(":"), let minute = reader.number(), reader.skip(":"),
                let second = reader.number()
            else { return nil }
            seconds += hour * 3600 + minute * 60 + second
            if reader.skip(".") {
                guard let value = reader.fraction() else { return nil }
                fraction = value
            }
            guard let offset = reader.offset() else { return nil }
            seconds -= offset
        }
        guard reader.isAtEnd else { return nil }
        return Date(timeIntervalSince1970: Double(seconds) + fraction)
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    private static func floorDivide(_ number: Int, _ divisor: Int) -> (quotient: Int, remainder: Int) {
        let (quotient, remainder) = number.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }

    // Both directions after https://howardhinnant.github.io/date_algorithms.html: years start in March.
    private static func days(fromYear year: Int, month: Int, day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = floorDivide(shifted, 400)
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    private static func civil(fromDays days: Int) -> (year: Int, month: Int, day: Int) {
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shifted = (5 * dayOfYear + 2) / 153
        let month = shifted < 10 ? shifted + 3 : shifted - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shifted + 2) / 5 + 1)
    }
}

private struct DigitReader {
    private var rest: Substring.UTF8View

    init(_ text: String) {
        rest = text[...].utf8
    }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func skip(_ character: Character) -> Bool {
        guard let byte = rest.first, byte == character.asciiValue else { return false }
        rest.removeFirst()
        return true
    }

    mutating func number() -> Int? {
        let digits = rest.prefix { (48...57).contains($0) }
        guard !digits.isEmpty, digits.count < 10 else { return nil }
        rest = rest.dropFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int($1 - 48) }
    }

    mutating func fraction() -> Double? {
        let width = rest.prefix { (48...57).contains($0) }.count
        guard let digits = number() else { return nil }
        return Double(digits) / (0..<width).reduce(1.0) { scale, _ in scale * 10 }
    }

    /// Seconds east of UTC; a timestamp without a zone counts as UTC.
    mutating func offset() -> Int? {
        guard !isAtEnd else { return 0 }
        let sign: Int
        if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
        guard var total = number().map({ $0 * 3600 }) else { return nil }
        for unit in [60, 1] where skip(":") {
            guard let part = number() else { return nil }
            total += part * unit
        }
        return sign * total
    }
}
