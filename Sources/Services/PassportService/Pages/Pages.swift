import HTTPTypes
import Hummingbird
import Mustache
import NIOCore

/// What each page shows.
enum PageContent {
    struct SignIn {
        var next = ""
        var nextInQuery = ""
        var username = ""
        var alert: String?
        var done: String?
        var registrationIsOpen = false
    }

    struct Registration {
        var next = ""
        var nextInQuery = ""
        var username = ""
        var email = ""
        var alert: String?
        var done: String?
    }

    struct Consent {
        let clientName: String
        let username: String
        let meanings: [String]
        let origin: String
        let request: String
    }

    struct Account {
        let username: String
        let email: String
        var alert: String?
        var done: String?
    }

    struct SignOut {
        let username: String
        /// The authenticated request to return to a client, empty when there is none.
        let redirect: String
    }

    struct Message {
        struct Link {
            let href: String
            let label: String
        }

        let text: String
        var link: Link?
    }

    struct Failure {
        let text: String
        var reference: String?
    }
}

/// Renders pages as responses with their protection.
struct Pages: Sendable {
    private struct Frame {
        let title: String
        let style = PageStyle.text
        let formToken: String
        let content: Any
    }

    private let library: MustacheLibrary
    private let cookies: Cookies
    private let protection: FormProtection

    init(cookies: Cookies, protection: FormProtection) throws {
        library = try PageTemplates.library()
        self.cookies = cookies
        self.protection = protection
    }

    /// A page for `visitor`.
    /// - Parameter formTarget: the origin to which this page's form leads in the end, beside our own.
    func render(
        _ name: PageTemplates.Name, title: String, _ content: some Sendable, for visitor: Visitor,
        status: HTTPResponse.Status = .ok, formTarget: String? = nil, headers: HTTPFields = [:]
    ) -> Response {
        let token = protection.token(secret: visitor.formSecret, session: visitor.session)
        let frame = Frame(title: title, formToken: token, content: content)
        let text = library.render(frame, withTemplate: name.rawValue) ?? ""
        var fields = headers
        fields[.contentType] = "text/html; charset=utf-8"
        fields[.cacheControl] = "no-store"
        let targets = ["'self'", formTarget].compactMap(\.self).joined(separator: " ")
        fields[.contentSecurityPolicy] =
            "default-src 'none'; style-src \(PageStyle.policySource); form-action \(targets); base-uri 'none'; "
            + "frame-ancestors 'none'"
        if visitor.isNew { fields.append(cookies.form(visitor.formSecret)) }
        return Response(status: status, headers: fields, body: .init(byteBuffer: ByteBuffer(string: text)))
    }

    /// A page that says what went wrong, without forms.
    func failure(
        _ status: HTTPResponse.Status, title: String, text: String, reference: String? = nil, headers: HTTPFields = [:]
    ) -> Response {
        render(
            .error, title: title, PageContent.Failure(text: text, reference: reference), for: Visitor.nobody,
            status: status, headers: headers)
    }
}

/// Whoever looks at a page.
struct Visitor: Sendable {
    static let nobody = Visitor(session: nil, formSecret: "", isNew: false)

    let session: Session?
    /// The secret behind this browser's form tokens.
    let formSecret: String
    /// Whether the browser must be given the secret.
    let isNew: Bool
}
