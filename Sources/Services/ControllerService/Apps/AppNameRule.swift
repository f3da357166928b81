import OpenSSLCrypto
import PlatformModel

/// Names of new apps: checked when given, made when left out.
enum AppNameRule {
    /// - Throws: ``Refusal`` 400 under `id`.
    static func check(_ text: String) throws(Refusal) -> AppName {
        let name: AppName
        do throws(InvalidValue) {
            name = try AppName(text)
        } catch {
            throw .field("id", error.message)
        }
        guard !ReservedNames.standard.contains(text) else { throw .field("id", ReservedNames.sentence(text)) }
        return name
    }

    /// `<6 letters>-<8 letters>`
    static func generate() throws(Refusal) -> AppName {
        let letters = "abcdefghijklmnopqrstuvwxyz"
        return try check(SecureRandom.text(6, from: letters) + "-" + SecureRandom.text(8, from: letters))
    }
}
