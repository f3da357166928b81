import AccessTokens
import FoundationEssentials
import HTTPTypes
import Logging
import ObjectStorage
import PlatformModel
import TestSupport
import Testing

@testable import ControllerService

extension APITests {
    /// What becomes of the source bundles of pushes.
    @Suite struct SourceCleanerTests {
        @Test func bundlesGoOnceNobodyWillBuildThem() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let builder = try api.machine(scope: ["controller:hook"])
                let directory = try TemporaryDirectory("sources")
                let store = try await FileObjectStore(directory: directory.path)
                for name in ["ended", "open", "lost"] {
                    _ = try await store.put(try ObjectKey("sources/myapp/\(name).tar"), bytes: [1])
                }
                _ = try await store.put(try ObjectKey("other/thing"), bytes: [1])
                // The second push supersedes the first, whose bundle is then not needed any more.
                for (sha, name) in [("8", "ended"), ("9", "open")] {
                    let opened = try await api.call(
                        .post, "/v2/hooks/build-runs/",
                        """
                        {"receive_user":"ada","receive_repo":"myapp","sha":"\(String(repeating: sha, count: 40))","ref":"refs/heads/main",
                         "message":"m","source_key":"sources/myapp/\(name).tar","source_digest":"d","source_size":1}
                        """, as: builder)
                    try #require(opened.status == 201, "\(opened.text)")
                }
                let cleaner = SourceCleaner(
                    pool: api.database, openStore: { store },
                    logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
                #expect(try await cleaner.clean(store, now: .now) == 0)
                #expect(try await cleaner.clean(store, now: .now.addingTimeInterval(SourceCleaner.youth + 60)) == 2)
                let left = try await store.listAll(prefix: "").map(\.key.description)
                #expect(left == ["other/thing", "sources/myapp/open.tar"])
            }
        }
    }
}
