/// The name a person signs in with.
///
/// Letters, digits and `@ . + - _`, 1 to 150 characters.
package struct UserName: ValidatedName {
    package let text: String

    package init(_ text: String) throws(InvalidValue) {
        let extra = Set("@.+-_".utf8)
        let isAllowed: (UInt8) -> Bool = { byte in
            NameRule.isLetter(byte) || NameRule.isDigit(byte) || extra.contains(byte)
        }
        guard (1...150).contains(text.utf8.count), text.utf8.allSatisfy(isAllowed) else {
            throw InvalidValue(
                kind: "user name",
                message:
                    "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.")
        }
        self.text = text
    }
}
