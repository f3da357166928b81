import FoundationEssentials
import PlatformModel

/// What a container carries so that everything about its pod can be read back from the engine alone.
struct PodLabels: Sendable, Equatable {
    let pod: PodName
    let app: AppName
    let appID: UUID
    let processType: ProcessType
    let release: ReleaseNumber
    let image: String
    let command: [String]
    let arguments: [String]
    let port: Int?
    let probes: Probes
    /// From the request to stop until the process is killed.
    let gracePeriod: Duration
    let fence: Int
    /// Names the folder of the pod's logs.
    let uid: String

    static let heritage = "workflow.heritage=drycc"

    static func selector(app: AppName) -> String { "\(Key.app.rawValue)=\(app)" }

    private enum Key: String {
        case heritage = "workflow.heritage"
        case app = "workflow.app"
        case appID = "workflow.app-id"
        case processType = "workflow.type"
        case release = "workflow.release"
        case image = "workflow.image"
        case command = "workflow.command"
        case arguments = "workflow.arguments"
        case port = "workflow.port"
        case probes = "workflow.probes"
        case grace = "workflow.grace"
        case fence = "workflow.fence"
        case uid = "workflow.uid"
        case pod = "workflow.pod"
    }

    init(_ workload: Workload, pod: PodName, fence: Int, uid: String) {
        self.pod = pod
        app = workload.app
        appID = workload.appID
        processType = workload.processType
        release = workload.release
        image = workload.image
        command = workload.command
        arguments = workload.arguments
        port = workload.port
        probes = workload.probes
        gracePeriod = workload.gracePeriod
        self.fence = fence
        self.uid = uid
    }

    /// Reads the labels back; nil when the container is not one of ours.
    init?(_ labels: [String: String]) {
        func value(_ key: Key) -> String { labels[key.rawValue] ?? "" }
        guard value(.heritage) == "drycc", let appID = UUID(uuidString: value(.appID)),
            let fence = Int(value(.fence)), let command = Self.list(value(.command)),
            let arguments = Self.list(value(.arguments))
        else { return nil }
        do {
            app = try AppName(value(.app))
            processType = try ProcessType(value(.processType))
            release = try ReleaseNumber(parsing: value(.release))
        } catch {
            // Labels that are not ours: another program's container.
            return nil
        }
        pod = PodName(value(.pod))
        self.appID = appID
        self.fence = fence
        self.command = command
        self.arguments = arguments
        image = value(.image)
        port = Int(value(.port))
        probes = Self.probes(value(.probes))
        gracePeriod = .seconds(Int(value(.grace)) ?? 30)
        uid = value(.uid)
    }

    /// The labels as the engine stores them.
    func encoded() throws -> [String: String] {
        var labels: [Key: String] = [
            .heritage: "drycc", .app: app.text, .appID: appID.uuidString.lowercased(), .processType: processType.text,
            .release: "\(release)", .image: image, .command: try Self.text(command),
            .arguments: try Self.text(arguments), .fence: "\(fence)", .uid: uid, .pod: pod.text,
            .grace: "\(gracePeriod.components.seconds)",
        ]
        if let port { labels[.port] = "\(port)" }
        if probes != Probes() { labels[.probes] = String(decoding: try JSONEncoder().encode(probes), as: UTF8.self) }
        return Dictionary(uniqueKeysWithValues: labels.map { ($0.key.rawValue, $0.value) })
    }

    private static func text(_ list: [String]) throws -> String {
        String(decoding: try JSONEncoder().encode(list), as: UTF8.self)
    }

    /// A container without the label, or with one of another version, is asked nothing.
    private static func probes(_ text: String) -> Probes {
        do {
            return try JSONDecoder().decode(Probes.self, from: Data(text.utf8))
        } catch {
            return Probes()
        }
    }

    private static func list(_ text: String) -> [String]? {
        do {
            return try JSONDecoder().decode([String].self, from: Data(text.utf8))
        } catch {
            return nil
        }
    }
}
