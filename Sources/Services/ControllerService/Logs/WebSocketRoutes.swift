import HTTPTypes
import Hummingbird
import Logging
import PlatformModel
import ServiceHTTP
import WebSocketServer

/// Decides about requests for websockets: logs of a pod, logs of an app.
///
/// The permission is asked of the database each time; a refusal is an HTTP 403 on the handshake, as clients expect.
struct WebSocketRoutes: Sendable {
    let access: AccessControl
    let pods: PodLogSession
    let logger: Logger

    /// What a path asks for.
    enum Target: Equatable {
        case podLogs(app: String, pod: String)

        init?(path: String) {
            let parts = path.split(separator: "/").map { PathText.decode(String($0)) }
            guard parts.count == 6, parts[0] == "v2", parts[1] == "apps", parts[3] == "pods", parts[5] == "logs",
                let app = parts[2], let pod = parts[4]
            else { return nil }
            self = .podLogs(app: app, pod: pod)
        }
    }

    func decide(_ request: WebSocketRequest) async throws -> WebSocketDecision {
        guard let target = Target(path: request.path) else { return .passOn }
        switch target {
        case .podLogs(let app, let pod):
            let member: AppMember
            do {
                let user = try await access.user(authorization: request.headers[.authorization])
                member = try await access.member(user, ofAppNamed: app, atLeast: .viewer, hidesForeign: false)
            } catch is Refusal {
                return .refuse(status: .forbidden, headers: VersionHeadersMiddleware.fields)
            }
            let session = pods
            return .accept(headers: VersionHeadersMiddleware.fields) { connection in
                try await session.serve(connection, app: member.app, pod: pod)
            }
        }
    }
}
