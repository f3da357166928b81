/// The name of a workspace, which owns apps and has members.
///
/// Rule `^[0-9a-z]{5,}$`, at most 150 characters.
package struct WorkspaceName: ValidatedName {
    package let text: String

    package init(_ text: String) throws(InvalidValue) {
        guard text.utf8.count <= 150 else {
            throw InvalidValue(kind: "workspace name", message: "Ensure this field has no more than 150 characters.")
        }
        guard text.utf8.count >= 5, text.utf8.allSatisfy(NameRule.isLowercaseOrDigit) else {
            throw InvalidValue(
                kind: "workspace name",
                message: "Workspace name must have at least 5 characters and can only contain a-z (lowercase) and 0-9.")
        }
        self.text = text
    }
}
