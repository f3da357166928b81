import FoundationEssentials
import Glibc

/// A folder as a container engine fills it, with one container of one app.
struct LogFolder {
    let root: String
    let pods: String
    let state: String
    let container: String

    init(_ root: String, app: String = "shop") throws {
        self.root = root
        pods = root + "/pods"
        state = root + "/state"
        let pod = "\(app)-web-5f7c9d8b6d-x2x4k"
        container = "\(pods)/\(app)_\(pod)_1/\(app)-web"
        try FileManager.default.createDirectory(atPath: container, withIntermediateDirectories: true)
        let metadata =
            #"{"app":"\#(app)","namespace":"\#(app)","pod":"\#(pod)","#
            + #""type":"web","version":"v1","container":"\#(app)-web"}"#
        try Data(metadata.utf8).write(to: URL(filePath: "\(pods)/\(app)_\(pod)_1/metadata.json"))
    }

    func path(_ name: String) -> String { container + "/" + name }

    /// Appends complete lines.
    func append(_ texts: [String], to name: String = "0.log") throws {
        try append(raw: texts.map { "2024-03-01T10:02:03.000000007Z stdout F \($0)\n" }.joined(), to: name)
    }

    func append(raw text: String, to name: String = "0.log") throws {
        if !FileManager.default.fileExists(atPath: path(name)) { try Data().write(to: URL(filePath: path(name))) }
        guard let file = fopen(path(name), "a") else { throw CannotWrite(path: path(name)) }
        defer { fclose(file) }
        let bytes = Array(text.utf8)
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw CannotWrite(path: path(name)) }
    }

    func rename(_ name: String, to other: String) throws {
        try FileManager.default.moveItem(atPath: path(name), toPath: path(other))
    }

    func remove(_ name: String) throws {
        try FileManager.default.removeItem(atPath: path(name))
    }

    struct CannotWrite: Error {
        let path: String
    }
}
