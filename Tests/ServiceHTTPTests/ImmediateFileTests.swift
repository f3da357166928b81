import Foundation
import Glibc
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import OpenSSLCrypto
import ServiceHTTP
import TestSupport
import Testing

/// A server that sends a file for `/file` when it may, and answers everything by its routes.
@Suite(.timeLimit(.minutes(1))) struct ImmediateFileTests {
    /// More than the sockets of a connection take by themselves.
    private static let large = 32 << 20

    private struct Served {
        let port: Int
        let connection: RawConnection
        let path: String
        let content: [UInt8]

        /// How often the process has the file open.
        func openCount() throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count { name in
                var target = [CChar](repeating: 0, count: Int(PATH_MAX))
                // One that is closed meanwhile has no target.
                let count = readlink("/proc/self/fd/\(name)", &target, target.count)
                return count > 0 && target.prefix(count).elementsEqual(path.utf8.map { CChar(bitPattern: $0) })
            }
        }
    }

    private static func serve(
        _ size: Int, idleTimeout: TimeAmount? = nil, _ body: @escaping @Sendable (Served) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory("file") { folder in
            let path = "\(folder)/content"
            let content = SecureRandom.bytes(size)
            try Data(content).write(to: URL(filePath: path))
            let router = Router()
            router.get("/file") { _, _ in "usual" }
            router.get("/other") { _, _ in "other" }
            let server = HTTPServerBuilder.plain(idleTimeout: idleTimeout, runsOnEventLoop: true) { request in
                guard request.path == "/file" else { return nil }
                let descriptor = open(path, O_RDONLY | O_CLOEXEC)
                guard descriptor >= 0 else { return nil }
                return ImmediateAnswer([.contentType: "text/plain"], length: size)
                    .with(SentFile(descriptor: descriptor, 0..<size))
            }
            try await withTestServer(router, server: server) { port in
                let connection = try RawConnection(port: port)
                try await body(Served(port: port, connection: connection, path: path, content: content))
            }
        }
    }

    private static func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n" }

    /// The bodies of answers of a known length, in order, `file` for the whole content; fewer when the connection ends
    /// before.
    private static func bodies(_ count: Int, _ served: Served) async throws -> [String] {
        var (bodies, rest) = ([String](), [UInt8]())
        while bodies.count < count {
            let bytes = try await served.connection.receive()
            guard !bytes.isEmpty else { break }
            rest += bytes
            while let end = rest.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound {
                let head = String(decoding: rest[..<end], as: UTF8.self)
                let length = try #require(head.firstMatch(of: /\r\nContent-Length: (\d+)\r\n/).flatMap { Int($0.1) })
                guard rest.count >= end + length else { break }
                let body = rest[end..<(end + length)]
                let isContent = Array(body) == served.content
                bodies.append(isContent ? "file" : String(decoding: body.prefix(100), as: UTF8.self))
                rest.removeFirst(end + length)
            }
        }
        #expect(rest.isEmpty || bodies.count < count)
        return bodies
    }

    @Test(arguments: [1, 70_000, 1 << 20])
    func aFileIsAnsweredInFull(_ size: Int) async throws {
        try await Self.serve(size) { served in
            for _ in 1...3 {
                try served.connection.send(Self.get("/file"))
                #expect(try await Self.bodies(1, served) == ["file"])
            }
            try await eventually("the file is closed") { try served.openCount() == 0 }
        }
    }

    /// What was asked for behind a file is answered behind it, whichever way it takes.
    @Test func whatComesMeanwhileWaitsForTheFile() async throws {
        try await Self.serve(1 << 20) { served in
            let paths = ["/file", "/file", "/other", "/file", "/other", "/file"]
            try served.connection.send(paths.map(Self.get).joined())
            // The sockets do not take so many files, so requests come while one is sent.
            for _ in 0..<30 { try served.connection.send(Self.get("/file")) }
            let bodies = try await Self.bodies(paths.count + 30, served)
            // What comes while an answer takes the usual way takes it too.
            let kinds = bodies.map { $0 == "usual" ? "file" : $0 }
            #expect(kinds == ["file", "file", "other", "file", "other"] + Array(repeating: "file", count: 31))
            #expect(bodies.starts(with: ["file", "file"]))
        }
    }

    /// A client that takes a file slowly is not idle; one that has it is.
    @Test func aSlowClientIsNotIdle() async throws {
        try await Self.serve(Self.large, idleTimeout: .seconds(1)) { served in
            try served.connection.send(Self.get("/file"))
            // Longer than the limit.
            try await Task.sleep(for: .seconds(2.5))
            #expect(try served.openCount() == 1)
            #expect(try await Self.bodies(1, served) == ["file"])
            #expect(try await served.connection.receive().isEmpty)
        }
    }

    @Test(arguments: [["/file"], ["/file", "/other"]])
    func aClientThatSendsNoMoreGetsAllItHasAskedFor(_ paths: [String]) async throws {
        try await Self.serve(Self.large) { served in
            try served.connection.send(paths.map(Self.get).joined())
            served.connection.finishSending()
            // The server has heard of it by then.
            try await Task.sleep(for: .milliseconds(200))
            #expect(try await Self.bodies(paths.count, served) == paths.map { String($0.dropFirst()) })
            #expect(try await served.connection.receive().isEmpty)
        }
    }

    @Test func aFileNobodyTakesIsClosed() async throws {
        try await Self.serve(Self.large) { served in
            func begin() async throws {
                let connection = try RawConnection(port: served.port)
                try connection.send(Self.get("/file"))
                #expect(try await !connection.receive().isEmpty)
                #expect(try served.openCount() == 1)
            }
            try await begin()
            try await eventually("the file is closed") { try served.openCount() == 0 }
        }
    }

    /// Nobody takes what is left of a file for the whole of it, and nothing waits for the rest.
    @Test func aFileThatBecomesShorterEndsTheConnection() async throws {
        try await Self.serve(Self.large) { served in
            try served.connection.send(Self.get("/file"))
            var count = try await served.connection.receive().count
            #expect(count > 0 && truncate(served.path, off_t(Self.large - 1000)) == 0)
            while true {
                let bytes = try await served.connection.receive()
                guard !bytes.isEmpty else { break }
                count += bytes.count
            }
            #expect(count < Self.large)
            try await eventually("the file is closed") { try served.openCount() == 0 }
        }
    }
}
