import FoundationEssentials
import Glibc
import OpenSSLCrypto
package import PlatformModel
package import ServiceHTTP
package import ServiceRuntime

/// What the router reads from its environment.
///
/// - `ROUTER_CONTROL_LISTEN`: health and metrics, `127.0.0.1:8090`.
/// - `ROUTER_HTTP_PORT` (8080), `ROUTER_HTTPS_PORT` (8443): where apps are served.
/// - `ROUTER_BIND`: addresses separated by commas; every interface unless given.
/// - `ROUTER_STATE_DIRECTORY`: configuration, control socket, last good table, logs of nginx.
/// - `ROUTER_PLATFORM_HOSTS`: `host=address:port` pairs separated by commas.
/// - `ROUTER_TLS_CERTIFICATE`, `ROUTER_TLS_KEY`: files of the default certificate; without them there is no TLS.
/// - `ROUTER_NGINX`: the program, `/usr/sbin/nginx`. `ROUTER_WORKER_USER`: www-data, only when run by root.
/// - `ROUTER_WORKERS` (2), `ROUTER_WORKER_CONNECTIONS` (4096).
/// - `ROUTER_BODY_LIMIT`, `ROUTER_PLATFORM_BODY_LIMIT`: MiB of a request's body, 1024 and 64.
/// - `ROUTER_CONNECT_TIMEOUT` (3), `ROUTER_RESPONSE_TIMEOUT` (1300): seconds an app may take.
/// - `ROUTER_ACCESS_LOG`: a file, `access.log` in the state directory.
/// - `CONTROLLER_URL`, `OIDC_ISSUER`, `OIDC_INTERNAL_URL`, `OIDC_CLIENT_ID`, `OIDC_CLIENT_SECRET` (secret).
package struct RouterConfiguration: Sendable {
    package let controlListen: ListenAddress
    package let edge: EdgeSettings
    package let nginx: String
    package let controllerURL: String
    package let tokenURL: String
    package let clientID: String
    package let clientSecret: Secret

    package init(reader: inout ConfigurationReader) {
        controlListen = reader.listen("ROUTER_CONTROL_LISTEN", default: "127.0.0.1:8090")
        nginx = reader.string("ROUTER_NGINX", default: "/usr/sbin/nginx")
        if access(nginx, X_OK) != 0 { reader.report("ROUTER_NGINX", "names no program: apt-get install nginx") }
        edge = Self.edge(&reader)
        controllerURL = reader.string("CONTROLLER_URL", default: "http://127.0.0.1:8000")
        let issuer = reader.string("OIDC_ISSUER")
        tokenURL = "\(reader.string("OIDC_INTERNAL_URL", default: issuer))/token/"
        clientID = reader.string("OIDC_CLIENT_ID", default: "router")
        clientSecret = reader.secret("OIDC_CLIENT_SECRET")
    }

    private static func edge(_ reader: inout ConfigurationReader) -> EdgeSettings {
        let directory = path("ROUTER_STATE_DIRECTORY", default: nil, &reader)
        let user = reader.string("ROUTER_WORKER_USER", default: "www-data")
        if !user.utf8.allSatisfy(NginxText.isWordByte) { reader.report("ROUTER_WORKER_USER", "is not a user's name") }
        var settings = EdgeSettings(
            directory: directory, bindAddresses: bindAddresses(&reader),
            httpPort: reader.integer("ROUTER_HTTP_PORT", default: 8080, in: 1...65535),
            httpsPort: reader.integer("ROUTER_HTTPS_PORT", default: 8443, in: 1...65535),
            certificate: certificate(&reader), platformHosts: platformHosts(&reader),
            workerUser: geteuid() == 0 ? user : nil,
            accessLogPath: path("ROUTER_ACCESS_LOG", default: "\(directory)/access.log", &reader))
        settings.workers = reader.integer("ROUTER_WORKERS", default: 2, in: 1...64)
        settings.workerConnections = reader.integer("ROUTER_WORKER_CONNECTIONS", default: 4096, in: 64...65536)
        settings.bodyLimitMiB = reader.integer("ROUTER_BODY_LIMIT", default: 1024, in: 1...1_048_576)
        settings.platformBodyLimitMiB = reader.integer("ROUTER_PLATFORM_BODY_LIMIT", default: 64, in: 1...1_048_576)
        settings.connectTimeout = reader.integer("ROUTER_CONNECT_TIMEOUT", default: 5, in: 1...60)
        settings.responseTimeout = reader.integer("ROUTER_RESPONSE_TIMEOUT", default: 1300, in: 1...86400)
        return settings
    }

    /// Paths go into nginx's configuration and its scripts: they are held to characters that mean nothing there.
    private static func path(_ key: String, default fallback: String?, _ reader: inout ConfigurationReader) -> String {
        let text = fallback.map { reader.string(key, default: $0) } ?? reader.string(key)
        let isPlain = text.utf8.allSatisfy { NginxText.isWordByte($0) || "/@+".utf8.contains($0) }
        if !text.isEmpty, !text.hasPrefix("/") || !isPlain {
            reader.report(key, "must be an absolute path of letters, digits and . _ - @ +")
        }
        return text
    }

    private static func bindAddresses(_ reader: inout ConfigurationReader) -> [String] {
        let everywhere = access("/proc/net/if_inet6", R_OK) == 0 ? "0.0.0.0,::" : "0.0.0.0"
        return reader.string("ROUTER_BIND", default: everywhere).split(separator: ",").map { part in
            let address = part.filter { !"[] ".contains($0) }
            if !IPAddressText.isAddress(address) {
                reader.report("ROUTER_BIND", "must be addresses separated by commas")
            }
            return address.contains(":") ? "[\(address)]" : address
        }
    }

    private static func platformHosts(_ reader: inout ConfigurationReader) -> [EdgeSettings.PlatformHost] {
        reader.string("ROUTER_PLATFORM_HOSTS", default: "").split(separator: ",").compactMap { pair in
            let parts = pair.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " } }
            guard parts.count == 2, let host = DomainName(ifValid: parts[0]), !host.isWildcard else {
                reader.report("ROUTER_PLATFORM_HOSTS", "must be host=address:port pairs separated by commas")
                return nil
            }
            do throws(InvalidValue) {
                let address = try ListenAddress(parts[1])
                guard IPAddressText.isAddress(address.host), address.port > 0 else {
                    reader.report("ROUTER_PLATFORM_HOSTS", "needs an IP address and port for \(host)")
                    return nil
                }
                return EdgeSettings.PlatformHost(host: host.text, address: address.description)
            } catch {
                reader.report("ROUTER_PLATFORM_HOSTS", error.message)
                return nil
            }
        }
    }

    private static func certificate(_ reader: inout ConfigurationReader) -> EdgeSettings.DefaultCertificate? {
        let chain = reader.optionalString("ROUTER_TLS_CERTIFICATE")
        let key = reader.optionalString("ROUTER_TLS_KEY")
        guard let chain, let key else {
            if chain != nil || key != nil { reader.report("ROUTER_TLS_CERTIFICATE", "needs ROUTER_TLS_KEY beside it") }
            return nil
        }
        do {
            guard let pem = try StateFile.readText(chain), let keyPEM = try StateFile.readText(key) else {
                reader.report("ROUTER_TLS_CERTIFICATE", "or ROUTER_TLS_KEY names a file that is not there")
                return nil
            }
            guard let leaf = try CertificateInfo.all(inPEM: pem).first, leaf.matches(try KeyPair(pem: keyPEM)) else {
                reader.report("ROUTER_TLS_CERTIFICATE", "does not belong to ROUTER_TLS_KEY")
                return nil
            }
            return .init(chainPath: chain, keyPath: key, fingerprint: leaf.fingerprint)
        } catch {
            reader.report("ROUTER_TLS_CERTIFICATE", "or ROUTER_TLS_KEY cannot be read: \(error)")
            return nil
        }
    }
}
