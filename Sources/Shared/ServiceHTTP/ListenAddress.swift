package import Hummingbird
package import PlatformModel

/// Where a server listens: `host:port`, `[v6]:port`, or port 0 for any free port.
package struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    package let host: String
    package let port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package init(_ text: String) throws(InvalidValue) {
        let malformed = InvalidValue(kind: "listen address", message: "must be host:port, for example 127.0.0.1:8000")
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port)
        else { throw malformed }
        var host = String(text[..<colon])
        if host.hasPrefix("[") && host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty else { throw malformed }
        self.init(host: host, port: port)
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    package var bindAddress: BindAddress { .hostname(host, port: port) }
}
