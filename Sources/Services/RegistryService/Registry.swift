import FoundationEssentials
import Hummingbird
import HummingbirdCore
import HummingbirdTLS
import Logging
import MetricsExposition
import NIOCore
import NIOSSL
import ServiceHTTP
import ServiceLifecycle
import ServiceRuntime

/// Builds the parts of a registry process, in order of dependency.
func makeRegistry(
    _ configuration: RegistryConfiguration, process: ServiceProcess
) async throws -> [ServiceProcess.Part] {
    let rules = configuration.collection.rules
    let storage = try await configuration.storage.open(grace: rules.grace)
    let budget = BudgetLedger(storage: storage, rules: rules)
    let api = RegistryAPI(
        storage: storage, budget: budget, authenticator: try await makeAuthenticator(configuration.authentication),
        limits: configuration.limits, allowsDeletes: configuration.allowsDeletes,
        sendsFiles: configuration.tls == nil)
    let health = HealthRoutes(
        checks: [ReadinessCheck("storage") { try await storage.check() }], metrics: process.metrics,
        drain: process.drain)
    let http = HTTPService(
        responder: RegistryResponder(api, health), listen: configuration.listen,
        // A line of the log costs more than is saved, so that logged requests all go one way.
        server: try makeServer(configuration, atOnce: process.logger.logLevel > .info ? api.answerAtOnce : nil),
        acceptsOnEventLoop: true, logger: process.logger)
    let expiry = UploadExpiry(storage: storage, age: rules.uploadExpiry, logger: process.logger)
    let collector = Collector(storage: storage, rules: rules, budget: budget, logger: process.logger)
    return [.init("uploads", expiry)] + collecting(collector, configuration) + [.init("http", http)]
}

/// The parts that collect: regularly, and by command where the storage is a folder.
private func collecting(
    _ collector: Collector, _ configuration: RegistryConfiguration
) -> [ServiceProcess.Part] {
    var parts: [ServiceProcess.Part] = []
    if let interval = configuration.collection.interval {
        parts.append(.init("collection", RegularCollection(collector: collector, interval: interval)))
    }
    guard case .folder(let root) = configuration.storage.place else { return parts }
    let path = StorageLayout(root: root).control
    if let control = ControlSocket(path: path, collector: collector) {
        parts.append(.init("control", control))
    } else {
        collector.logger.warning(
            "The folder's path is too long for a socket; collections run by their interval only",
            metadata: ["path": "\(path)"])
    }
    return parts
}

private func makeAuthenticator(
    _ authentication: RegistryConfiguration.Authentication
) async throws -> any Authenticator {
    switch authentication {
    case .none:
        return OpenAccess()
    case .htpasswd(let path):
        return try HtpasswdAuthenticator(text: try readText(path, for: "REGISTRY_AUTH"))
    case .token(let server):
        return try await TokenAuthenticator(
            server, publicKeys: try readText(server.keysPath, for: "REGISTRY_TOKEN_KEYS"))
    }
}

private func readText(_ path: String, for key: String) throws -> String {
    do {
        return try String(contentsOfFile: path, encoding: .utf8)
    } catch {
        throw ConfigurationError(problems: ["\(key) names the file \(path), which cannot be read"])
    }
}

private func makeServer(
    _ configuration: RegistryConfiguration, atOnce: ImmediateAnswer.Source?
) throws -> HTTPServerBuilder {
    // Ends connections that send a request's head or body too slowly to ever end.
    let plain = HTTPServerBuilder.plain(
        idleTimeout: TimeAmount(configuration.idleTimeout), runsOnEventLoop: true, atOnce: atOnce)
    guard let files = configuration.tls else { return plain }
    do {
        return try .tls(
            plain,
            tlsConfiguration: .makeServerConfiguration(
                certificateChain: try NIOSSLCertificate.fromPEMFile(files.certificate).map { .certificate($0) },
                privateKey: .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))))
    } catch {
        throw ConfigurationError(problems: [
            "REGISTRY_TLS_CERTIFICATE or REGISTRY_TLS_KEY cannot be used: they must be PEM files that belong together"
        ])
    }
}
