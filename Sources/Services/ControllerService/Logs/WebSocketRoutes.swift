import HTTPTypes
import Hummingbird
import Logging
import PlatformModel
import ServiceHTTP
import WebSocketServer

/// Decides about requests for websockets: logs of a pod, commands in a pod.
///
/// The permission is asked of the database each time; a refusal is an HTTP 403 on the handshake, as clients expect.
struct WebSocketRoutes: Sendable {
    let access: AccessControl
    let logs: PodLogSession
    let commands: PodExecSession
    let logger: Logger

    /// What a path asks for.
    enum Target: Equatable {
        case podLogs(app: String, pod: String)
        case podExec(app: String, pod: String)

        init?(path: String) {
            let parts = path.split(separator: "/").map { PercentCoding.decode($0) }
            guard parts.count == 6, parts[0] == "v2", parts[1] == "apps", parts[3] == "pods", let app = parts[2],
                let pod = parts[4]
            else { return nil }
            switch parts[5] {
            case "logs": self = .podLogs(app: app, pod: pod)
            case "exec": self = .podExec(app: app, pod: pod)
            default: return nil
            }
        }

        /// Reading is for everybody in the workspace, running something is not.
        var role: Role {
            switch self {
            case .podLogs: .viewer
            case .podExec: .member
            }
        }

        var app: String {
            switch self {
            case .podLogs(let app, _), .podExec(let app, _): app
            }
        }
    }

    func decide(_ request: WebSocketRequest) async throws -> WebSocketDecision {
        guard let target = Target(path: request.path) else { return .passOn }
        let member: AppMember
        do {
            let user = try await access.user(authorization: request.headers[.authorization])
            member = try await access.member(user, ofAppNamed: target.app, atLeast: target.role, hidesForeign: false)
        } catch is Refusal {
            return .refuse(status: .forbidden, headers: VersionHeadersMiddleware.fields)
        }
        let (logs, commands) = (logs, commands)
        return .accept(headers: VersionHeadersMiddleware.fields) { connection in
            switch target {
            case .podLogs(_, let pod): try await logs.serve(connection, app: member.app, pod: pod)
            case .podExec(_, let pod): try await commands.serve(connection, app: member.app, pod: pod)
            }
        }
    }
}
