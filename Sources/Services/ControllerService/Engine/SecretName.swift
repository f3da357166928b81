import OpenSSLCrypto
import PlatformModel

/// The name under which podman keeps one value of a pod's environment: `wf.<app>.<pod>.<number>`.
///
/// Podman allows 64 characters, fewer than an app's and a process type's names may have together, and no name of an
/// app may be the beginning of another's. So app and pod stand there as digests.
enum SecretName {
    /// The pod a secret belongs to, as its name shows it.
    struct Owner: Hashable, Sendable {
        fileprivate let digest: Substring

        init(_ pod: PodName) { digest = SecretName.digest(pod.text) }

        fileprivate init(digest: Substring) { self.digest = digest }
    }

    private static let heritage = "wf"

    static func make(app: AppName, pod: PodName, number: Int) -> String {
        "\(heritage).\(digest(app.text)).\(digest(pod.text)).\(number)"
    }

    static func belongs(_ name: String, to app: AppName) -> Bool { parts(of: name)?.app == digest(app.text) }

    /// Whose secret it is; nil for those of other programs.
    static func owner(of name: String) -> Owner? { parts(of: name).map { Owner(digest: $0.pod) } }

    private static func parts(of name: String) -> (app: Substring, pod: Substring)? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == heritage else { return nil }
        return (parts[1], parts[2])
    }

    private static func digest(_ text: String) -> Substring { SHA256Digest.hex(text).prefix(24) }
}
