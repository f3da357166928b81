import Mustache

/// The pages as Mustache templates; every `{{value}}` is escaped for HTML.
enum PageTemplates {
    /// A page's template, by name.
    enum Name: String, CaseIterable, Sendable {
        case account, consent, error, message, registration, signIn, signOut
    }

    static func library() throws -> MustacheLibrary {
        var library = MustacheLibrary()
        try library.register(layout, named: "layout")
        try library.register(alerts, named: "alerts")
        for name in Name.allCases { try library.register(text(of: name), named: name.rawValue) }
        return library
    }

    private static let layout = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="robots" content="noindex">
        <title>{{title}} – Workflow</title>
        <style>{{{style}}}</style>
        </head>
        <body>
        <header>Workflow</header>
        <main>
        <h1>{{title}}</h1>
        {{$content}}{{/content}}
        </main>
        </body>
        </html>
        """

    private static let alerts = """
        {{#content.alert}}<p class="alert" role="alert">{{.}}</p>{{/content.alert}}
        {{#content.done}}<p class="done" role="status">{{.}}</p>{{/content.done}}
        """

    private static func text(of name: Name) -> String {
        switch name {
        case .account: account
        case .consent: consent
        case .error: error
        case .message: message
        case .registration: registration
        case .signIn: signIn
        case .signOut: signOut
        }
    }

    private static let signIn = """
        {{<layout}}{{$content}}
        {{>alerts}}
        <form method="post" action="/user/login">
        <input type="hidden" name="form_token" value="{{formToken}}">
        <input type="hidden" name="next" value="{{content.next}}">
        <label for="username">Username</label>
        <input id="username" name="username" value="{{content.username}}" autocomplete="username" \
        autocapitalize="none" spellcheck="false" maxlength="150" required autofocus>
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" maxlength="256" required>
        <button type="submit">Sign in</button>
        </form>
        {{#content.registrationIsOpen}}<p class="note">No account yet? \
        <a href="/user/registration?next={{content.nextInQuery}}">Register</a></p>{{/content.registrationIsOpen}}
        {{/content}}{{/layout}}
        """

    private static let registration = """
        {{<layout}}{{$content}}
        {{>alerts}}
        <form method="post" action="/user/registration">
        <input type="hidden" name="form_token" value="{{formToken}}">
        <input type="hidden" name="next" value="{{content.next}}">
        <label for="username">Username</label>
        <input id="username" name="username" value="{{content.username}}" autocomplete="username" \
        autocapitalize="none" spellcheck="false" maxlength="150" required autofocus>
        <label for="email">E-mail address</label>
        <input id="email" name="email" type="email" value="{{content.email}}" autocomplete="email" \
        maxlength="254" required>
        <label for="password">Password</label>
        <input id="password" name="password" type="password" autocomplete="new-password" minlength="8" maxlength="256" \
        required>
        <label for="password_again">Password, once more</label>
        <input id="password_again" name="password_again" type="password" autocomplete="new-password" minlength="8" \
        maxlength="256" required>
        <button type="submit">Register</button>
        </form>
        <p class="note">You have an account? <a href="/user/login?next={{content.nextInQuery}}">Sign in</a></p>
        {{/content}}{{/layout}}
        """

    private static let consent = """
        {{<layout}}{{$content}}
        <p><strong>{{content.clientName}}</strong> asks for access to your account \
        <strong>{{content.username}}</strong>.
        If you allow it, it can:</p>
        <ul>{{#content.meanings}}<li>{{.}}</li>{{/content.meanings}}</ul>
        <p class="note">Afterwards you return to <code>{{content.origin}}</code>.</p>
        <form method="post" action="/oauth/authorize/consent">
        <input type="hidden" name="form_token" value="{{formToken}}">
        <input type="hidden" name="request" value="{{content.request}}">
        <button type="submit" name="decision" value="allow">Allow</button>
        <button type="submit" name="decision" value="deny" class="quiet">Refuse</button>
        </form>
        {{/content}}{{/layout}}
        """

    private static let account = """
        {{<layout}}{{$content}}
        {{>alerts}}
        <dl><dt>Username</dt><dd>{{content.username}}</dd><dt>E-mail address</dt><dd>{{content.email}}</dd></dl>
        <h2>Change the password</h2>
        <form method="post" action="/user/account/password">
        <input type="hidden" name="form_token" value="{{formToken}}">
        <label for="password">Current password</label>
        <input id="password" name="password" type="password" autocomplete="current-password" maxlength="256" required>
        <label for="new_password">New password</label>
        <input id="new_password" name="new_password" type="password" autocomplete="new-password" minlength="8" \
        maxlength="256" required>
        <label for="new_password_again">New password, once more</label>
        <input id="new_password_again" name="new_password_again" type="password" autocomplete="new-password" \
        minlength="8" maxlength="256" required>
        <button type="submit">Change the password</button>
        </form>
        <p class="note">This ends every other session and every application's access.</p>
        <h2>Sessions</h2>
        <form method="post" action="/user/account/sessions">
        <input type="hidden" name="form_token" value="{{formToken}}">
        <button type="submit" class="quiet">Sign out everywhere</button>
        </form>
        <form method="post" action="/user/logout">
        <input type="hidden" name="form_token" value="{{formToken}}">
        <button type="submit" class="quiet">Sign out here</button>
        </form>
        {{/content}}{{/layout}}
        """

    private static let signOut = """
        {{<layout}}{{$content}}
        <p>You are signed in as <strong>{{content.username}}</strong>.</p>
        <form method="post" action="/user/logout">
        <input type="hidden" name="form_token" value="{{formToken}}">
        <input type="hidden" name="redirect" value="{{content.redirect}}">
        <button type="submit">Sign out</button>
        </form>
        {{/content}}{{/layout}}
        """

    private static let message = """
        {{<layout}}{{$content}}<p>{{content.text}}</p>{{#content.link}}<p><a href="{{href}}">{{label}}</a></p>\
        {{/content.link}}{{/content}}{{/layout}}
        """

    private static let error = """
        {{<layout}}{{$content}}<p>{{content.text}}</p>
        {{#content.reference}}<p class="note">If you ask for help, give this reference: <code>{{.}}</code></p>\
        {{/content.reference}}{{/content}}{{/layout}}
        """
}
