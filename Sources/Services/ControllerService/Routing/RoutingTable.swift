/// Which host leads where: the whole of what the edge must know, as the router reads it.
struct RoutingTable: Codable, Sendable, Equatable {
    struct Host: Codable, Sendable, Equatable {
        enum State: String, Codable, Sendable {
            case serving, maintenance
            case noProcess = "no_process"
        }

        enum HTTPS: String, Codable, Sendable {
            case optional, enforced, off
        }

        struct Backend: Codable, Sendable, Equatable {
            let address: String
            let port: Int
        }

        let host: String
        let app: String
        let state: State
        let backends: [Backend]
        let https: HTTPS
        let certificate: String?
    }

    struct Certificate: Codable, Sendable, Equatable {
        let id: String
        let chain: String
        let key: String
    }

    /// Grows with every change; compared, never computed with.
    var version: Int
    /// Sorted by host name.
    let hosts: [Host]
    let certificates: [Certificate]
}
