import FoundationEssentials
import Logging
import NIOCore
import OCIRegistry
import TestSupport
import Testing

@testable import RegistryService

@Suite struct StorageTests {
    @Test func oneProcessUsesAFolder() async throws {
        try await withTemporaryDirectory { root in
            let storage = try await FolderStorage(root: root, isDurable: false)
            await #expect(throws: StorageInUse.self) { _ = try await FolderStorage(root: root, isDurable: false) }
            try await storage.check()
        }
    }

    @Test func anUploadGoesOnAfterTheStorageIsOpenedAgain() async throws {
        try await withTemporaryDirectory { root in
            let name = try RepositoryName("shop/shop")
            let digest = ImageDigest(of: Array("hello world".utf8))
            let id = try await { () async throws -> UploadID in
                let storage = try await FolderStorage(root: root, isDurable: true)
                let session = try await storage.uploads.begin(UploadRecord(repository: name, algorithm: .sha256))
                try session.append([.init(string: "hello ")])
                return session.id
            }()
            let storage = try await FolderStorage(root: root, isDurable: true)
            let session = try await storage.uploads.take(id, in: name)
            #expect(session.size == 6)
            try session.append([.init(string: "world")])
            try await storage.commit(session, as: digest)
            #expect(try await storage.blobSize(digest, in: name) == 11)
        }
    }

    @Test func oneRequestAtATimeUsesAnUpload() async throws {
        try await withTemporaryDirectory { root in
            let storage = try await FolderStorage(root: root, isDurable: false)
            let name = try RepositoryName("a")
            let session = try await storage.uploads.begin(UploadRecord(repository: name, algorithm: .sha256))
            await #expect(throws: RegistryError.self) { _ = try await storage.uploads.take(session.id, in: name) }
            await storage.uploads.give(session.id, session)
            _ = try await storage.uploads.take(session.id, in: name)
        }
    }

    @Test func abandonedUploadsExpireAndUsedOnesDoNot() async throws {
        try await withTemporaryDirectory { root in
            let storage = try await FolderStorage(root: root, isDurable: false)
            let name = try RepositoryName("a")
            let record = UploadRecord(repository: name, algorithm: .sha256)
            let idle = try await storage.uploads.begin(record)
            await storage.uploads.give(idle.id, idle)
            let used = try await storage.uploads.begin(record)
            let expiry = UploadExpiry(storage: storage, age: .seconds(60), logger: Logger(label: "test"))
            #expect(try await expiry.sweep() == 0)
            #expect(try await expiry.sweep(now: Date.now.addingTimeInterval(120)) == 1)
            await #expect(throws: RegistryError.self) { _ = try await storage.uploads.take(idle.id, in: name) }
            try used.append([.init(string: "x")])
        }
    }

    @Test func verificationFindsDamageAndWhoIsAffected() async throws {
        try await RegistryFixture.run { registry in
            try await registry.pushImage("good layer", to: "good", tag: "v1")
            try await registry.pushImage("bad layer", to: "bad", tag: "v1")
            let verification = StorageVerification(layout: registry.storage.layout)
            #expect(try verification.run().isGood)
            let digest = ImageDigest(of: Array("bad layer".utf8))
            try Data("BAD layer".utf8).write(to: URL(filePath: registry.storage.layout.blob(digest)))
            let report = try verification.run()
            #expect(report.damaged == [digest])
            #expect(report.broken == ["bad: blob \(digest) is missing or damaged"])
        }
    }
}
