/// The name of an app: a DNS label, because it becomes the first label of the app's host name.
///
/// Rule `^[a-z]([a-z0-9-]{3,}[a-z0-9])$`, at most 63 characters.
package struct AppName: ValidatedName {
    package let text: String

    package init(_ text: String) throws(InvalidValue) {
        let bytes = Array(text.utf8)
        guard bytes.count <= 63 else {
            throw InvalidValue(kind: "app name", message: "Ensure this field has no more than 63 characters.")
        }
        guard bytes.count >= 5, let first = bytes.first, let last = bytes.last,
            NameRule.isLowercase(first), NameRule.isLowercaseOrDigit(last),
            bytes.allSatisfy({ NameRule.isLowercaseOrDigit($0) || NameRule.isHyphen($0) })
        else {
            throw InvalidValue(
                kind: "app name",
                message: "App name must start with an alphabetic character, cannot end with a hyphen and can only "
                    + "contain a-z (lowercase), 0-9 and hyphens.")
        }
        self.text = text
    }
}
