/// Everything the static nginx configuration depends on. A change of it is the only reason to reload nginx.
package struct EdgeSettings: Equatable, Sendable {
    /// A host of the platform itself and the address of the service behind it.
    package struct PlatformHost: Equatable, Sendable {
        package let host: String
        /// `address:port`
        package let address: String

        package init(host: String, address: String) {
            self.host = host
            self.address = address
        }
    }

    /// The certificate shown where the table names none.
    package struct DefaultCertificate: Equatable, Sendable {
        package let chainPath: String
        package let keyPath: String
        /// Changes when the files' content does, so that a renewed certificate is noticed.
        package let fingerprint: String

        package init(chainPath: String, keyPath: String, fingerprint: String) {
            self.chainPath = chainPath
            self.keyPath = keyPath
            self.fingerprint = fingerprint
        }
    }

    package var directory: String
    package var bindAddresses: [String]
    package var httpPort: Int
    package var httpsPort: Int
    /// nil: no TLS listener.
    package var certificate: DefaultCertificate?
    package var platformHosts: [PlatformHost]
    /// The user nginx's workers run as; nil keeps the router's own.
    package var workerUser: String?
    package var workers: Int
    package var workerConnections: Int
    package var bodyLimitMiB: Int
    package var platformBodyLimitMiB: Int
    /// Seconds the last backend asked may take to accept a connection; those asked before it have at most 1.5. Five,
    /// because a backend that is too busy for a moment drops the first packets, and the kernel sends them again after
    /// one and after three seconds (RFC 6298).
    package var connectTimeout: Int
    package var responseTimeout: Int
    package var accessLogPath: String
    /// Seconds a client may take for the head of its request.
    package var headerTimeout = 10

    package init(
        directory: String, bindAddresses: [String], httpPort: Int, httpsPort: Int, certificate: DefaultCertificate?,
        platformHosts: [PlatformHost], workerUser: String?, accessLogPath: String, workers: Int = 2,
        workerConnections: Int = 4096, bodyLimitMiB: Int = 1024, platformBodyLimitMiB: Int = 64,
        connectTimeout: Int = 5, responseTimeout: Int = 1300
    ) {
        self.directory = directory
        self.bindAddresses = bindAddresses
        self.httpPort = httpPort
        self.httpsPort = httpsPort
        self.certificate = certificate
        self.platformHosts = platformHosts
        self.workerUser = workerUser
        self.accessLogPath = accessLogPath
        self.workers = workers
        self.workerConnections = workerConnections
        self.bodyLimitMiB = bodyLimitMiB
        self.platformBodyLimitMiB = platformBodyLimitMiB
        self.connectTimeout = connectTimeout
        self.responseTimeout = responseTimeout
    }

    package var paths: EdgePaths { EdgePaths(directory: directory) }
}

/// Where the edge keeps its files.
package struct EdgePaths: Equatable, Sendable {
    package let directory: String

    package var configuration: String { "\(directory)/nginx.conf" }
    package var candidate: String { "\(directory)/nginx.conf.candidate" }
    package var script: String { "\(directory)/lua/edge.lua" }
    package var scriptDirectory: String { "\(directory)/lua" }
    /// Only the router's user may enter it, which is what protects the socket.
    package var controlDirectory: String { "\(directory)/control" }
    package var controlSocket: String { "\(directory)/control/edge.sock" }
    package var processID: String { "\(directory)/nginx.pid" }
    package var errorLog: String { "\(directory)/error.log" }
    package var temporary: String { "\(directory)/temporary" }
    /// The last good table, as nginx and the router load it when they start.
    package var records: String { "\(directory)/control/table.records" }
    package var lock: String { "\(directory)/control/router.lock" }
}
