/// A value from outside that breaks the rules of its type.
///
/// The message is written for the person who sent the value: it names the rule, never the type.
package struct InvalidValue: Error, Equatable, CustomStringConvertible {
    /// What the value was meant to be, such as "app name".
    package let kind: String
    /// What is wrong and what is allowed.
    package let message: String

    package init(kind: String, message: String) {
        self.kind = kind
        self.message = message
    }

    package var description: String { message }
}
