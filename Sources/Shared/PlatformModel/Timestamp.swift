package import FoundationEssentials

extension Date {
    /// The platform's wire form: UTC, whole seconds, `2026-05-10T16:08:09Z`.
    package var wire: String { formatted(Date.ISO8601FormatStyle()) }

    /// Reads RFC 3339 in UTC with or without a fraction; nil for any other text.
    package init?(wire text: String) {
        let styles = [Date.ISO8601FormatStyle(), Date.ISO8601FormatStyle(includingFractionalSeconds: true)]
        for style in styles {
            do {
                self = try style.parse(text)
                return
            } catch {
                // The next style may fit; a text that fits none is not a date.
                continue
            }
        }
        return nil
    }
}
