/// The name of a kind of process an app runs, such as `web` or `worker`.
///
/// Rule `^[a-z0-9]+(\-[a-z0-9]+)*$`, 3 to 63 characters.
package struct ProcessType: ValidatedName {
    package static let web = ProcessType(unchecked: "web")
    package static let run = ProcessType(unchecked: "run")

    package let text: String

    private init(unchecked text: String) { self.text = text }

    package init(_ text: String) throws(InvalidValue) {
        guard NameRule.isHyphenated(text) else {
            throw InvalidValue(
                kind: "process type",
                message: "Process types can only supports: ^(?P<type>[a-z0-9]+(\\-[a-z0-9]+)*)$")
        }
        guard (3...63).contains(text.utf8.count) else {
            throw InvalidValue(kind: "process type", message: "The length of ptype must be between 3 and 63")
        }
        self.text = text
    }
}
