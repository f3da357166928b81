import NIOCore

/// Recognises literal IP addresses; the balancer resolves no names.
enum IPAddressText {
    static func isAddress(_ text: String) -> Bool {
        do {
            _ = try SocketAddress(ipAddress: text, port: 0)
            return true
        } catch {
            // The only question is whether it parses; the reason adds nothing.
            return false
        }
    }
}
