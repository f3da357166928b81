import FoundationEssentials

/// A folder with a random name that is gone when its owner is.
package struct TemporaryDirectory: ~Copyable {
    package let path: String

    package init(_ label: String = "test") throws {
        let random = UInt64.random(in: .min ... .max)
        path = FileManager.default.temporaryDirectory.path + "/\(label)-\(String(random, radix: 36))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    package func file(_ name: String) -> String { path + "/" + name }

    @discardableResult
    package func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(filePath: file(name)))
        return file(name)
    }

    package func read(_ name: String) throws -> String {
        String(decoding: try Data(contentsOf: URL(filePath: file(name))), as: UTF8.self)
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            // The test may have removed it itself.
        }
    }
}

/// Runs `body` with a folder that is removed afterwards, whatever happens.
package func withTemporaryDirectory<Value>(
    _ label: String = "test", isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Value
) async throws -> Value {
    let directory = try TemporaryDirectory(label)
    let path = directory.path
    let value = try await body(path)
    _ = consume directory
    return value
}
