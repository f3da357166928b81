import HTTPTypes
import Hummingbird
import Logging
import OCIRegistry
import ObjectStorage

/// The limits of the API.
struct RegistryLimits: Sendable {
    /// The longest manifest accepted, in bytes.
    var manifestSize = 4 << 20
    /// The longest blob accepted, in bytes.
    var blobSize = 64 << 30
    /// The most entries of one page of tags or repositories.
    var pageSize = 1000
    /// Whether an image may be pushed whose configuration or layers are not in its repository.
    var allowsMissingBlobs = false
    /// The most tags given to a manifest in one request.
    var tagsPerPush = 16
}

/// The OCI Distribution API over the registry's storage.
///
/// Every path below `/v2` comes here: it is read, authorized by the one policy table, and handed to the handler of its
/// resource.
struct RegistryAPI: Sendable {
    let storage: any RegistryStorage
    let budget: BudgetLedger
    let authenticator: any Authenticator
    let limits: RegistryLimits
    let allowsDeletes: Bool
    /// Whether connections take parts of files, as plain ones do.
    var sendsFiles = false
    let metrics = RegistryMetrics()

    /// What `Docker-Distribution-API-Version` says.
    static let version = "registry/2.0"

    let resources = KnownResources()
    /// The answers given lately to pulls of small blobs, of medium ones their heads, by path: 16 MiB at most.
    let answers = BoundedCache<String, KnownAnswer>(limit: 16384, budget: 16 << 20) { $0.weight }

    /// - Throws: ``RegistryError``, which renders itself.
    func answer(_ request: Request, to path: String, _ context: RegistryContext) async throws -> Response {
        let start = ContinuousClock.now
        var label = "none"
        do {
            let resource = try resources.resource(at: path)
            label = resource.label
            var response = try await handle(request, resource, context)
            response.headers[.dockerAPIVersion] = Self.version
            count(label, request, response.status, start)
            return request.method == .head ? response.withoutBody() : response
        } catch let error as RegistryError {
            count(label, request, error.status, start)
            throw RegistryError(
                error.code, error.message, detail: error.detail,
                headers: error.headers + [.dockerAPIVersion: Self.version])
        } catch let error as CancellationError {
            throw error
        } catch let error as ObjectStorageError {
            context.logger.warning("The object store failed", metadata: ["error": "\(error)"])
            let answer = RegistryError(error) ?? RegistryError(.unknown, "The registry's storage failed.")
            count(label, request, answer.status, start)
            throw answer
        } catch {
            context.logger.error(
                "Request failed unexpectedly",
                metadata: ["error": "\(String(reflecting: error))", "path": "\(path)"])
            count(label, request, .internalServerError, start)
            throw RegistryError(
                .unknown, "The registry failed. Give the operator this request id: \(context.id)",
                headers: [.dockerAPIVersion: Self.version])
        }
    }

    private func count(
        _ label: String, _ request: Request, _ status: HTTPResponse.Status, _ start: ContinuousClock.Instant
    ) {
        metrics.countRequest(label, request.method, status: status.code, duration: ContinuousClock.now - start)
    }

    private func handle(
        _ request: Request, _ resource: RegistryResource, _ context: RegistryContext
    ) async throws -> Response {
        guard resource.methods.contains(request.method) else {
            throw RegistryError(
                .unsupported, "This path does not support \(request.method.rawValue).",
                headers: [.allow: resource.methods.map(\.rawValue).joined(separator: ", ")])
        }
        let grant = try await authorize(request, resource.access(request.method))
        if request.method == .delete, !allowsDeletes {
            switch resource {
            case .blob, .manifest:
                throw RegistryError(.unsupported, "Deleting is switched off in this registry.")
            default: break
            }
        }
        switch resource {
        case .base: return .json(#"{}"#)
        case .extensions: return .json(Self.extensions)
        case .catalog: return try await catalog(request)
        case .blob(let name, let digest): return try await blob(request, name, digest, context)
        case .uploads(let name): return try await beginUpload(request, name, grant)
        case .upload(let name, let id): return try await upload(request, name, id)
        case .manifest(let name, let reference): return try await manifest(request, name, reference)
        case .tags(let name): return try await tags(request, name)
        case .referrers(let name, let digest): return try await referrers(request, name, digest)
        case .holds(let name): return try await holds(name)
        case .hold(let name, let digest): return try await hold(request, name, digest)
        }
    }

    private func authorize(_ request: Request, _ needed: [ResourceAccess]) async throws -> AccessGrant {
        do {
            let grant = try await authenticator.authenticate(request.headers[.authorization])
            guard needed.allSatisfy(grant.covers) else { throw AuthenticationProblem.insufficient }
            return grant
        } catch let problem as AuthenticationProblem {
            let message =
                switch problem {
                case .missing: "Authentication is required."
                case .invalid: "The credentials are not valid."
                case .insufficient: "The credentials do not allow this."
                }
            throw RegistryError(
                .unauthorized, message, detail: needed.isEmpty ? [:] : ["scope": Self.scopes(needed)],
                headers: [.wwwAuthenticate: authenticator.challenge(needed, after: problem)])
        }
    }

    private static func scopes(_ needed: [ResourceAccess]) -> String {
        needed.map(\.scope).joined(separator: " ")
    }
}

extension HTTPFields {
    static func + (left: Self, right: Self) -> Self {
        var fields = left
        for field in right { fields[field.name] = field.value }
        return fields
    }
}
