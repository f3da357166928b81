import HTTPTypes
import Hummingbird

/// Passport's two cookies: the session, and the secret behind the forms' tokens.
struct Cookies: Sendable {
    private static let formLifetime = 86_400

    private let isSecure: Bool
    let sessionName: String
    let formName: String

    /// - Parameter isSecure: whether people come over TLS; then the cookies demand it and are bound to this host.
    init(isSecure: Bool) {
        self.isSecure = isSecure
        sessionName = (isSecure ? "__Host-" : "") + "passport_session"
        formName = (isSecure ? "__Host-" : "") + "passport_form"
    }

    func sessionToken(of request: Request) -> String? { value(sessionName, of: request) }

    func formSecret(of request: Request) -> String? { value(formName, of: request) }

    func session(_ token: String, lifetime: Duration) -> HTTPField {
        field(sessionName, token, age: Int(lifetime.components.seconds))
    }

    var noSession: HTTPField { field(sessionName, "", age: 0) }

    func form(_ secret: String) -> HTTPField { field(formName, secret, age: Self.formLifetime) }

    private func value(_ name: String, of request: Request) -> String? {
        for header in request.headers[values: .cookie] {
            for pair in header.split(separator: ";") {
                let parts = pair.drop { $0 == " " }.split(separator: "=", maxSplits: 1)
                guard parts.count == 2, parts[0] == name, parts[1].utf8.count <= 128 else { continue }
                return String(parts[1])
            }
        }
        return nil
    }

    private func field(_ name: String, _ value: String, age: Int) -> HTTPField {
        let secure = isSecure ? "; Secure" : ""
        return HTTPField(
            name: .setCookie, value: "\(name)=\(value); Path=/; Max-Age=\(age); HttpOnly; SameSite=Lax\(secure)")
    }
}
