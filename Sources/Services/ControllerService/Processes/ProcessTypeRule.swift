import PlatformModel

/// The rule for names of process types as requests bring them, with the sentences the API promises.
enum ProcessTypeRule {
    /// - Returns: the sentence to show, or nil when the name is allowed.
    static func problem(with name: String) -> String? {
        do throws(InvalidValue) {
            _ = try ProcessType(name)
        } catch {
            return error.message
        }
        return ReservedNames.standard.contains(name) ? ReservedNames.sentence(name) : nil
    }

    /// Splits `web,worker`, the form in which requests name several process types or pods; a zero byte is in no name.
    static func split(_ text: String) -> [String] {
        var seen = Set<String>()
        return text.split(whereSeparator: { $0 == "," || $0 == " " })
            .map(String.init)
            .filter { !$0.utf8.contains(0) && seen.insert($0).inserted }
    }
}
