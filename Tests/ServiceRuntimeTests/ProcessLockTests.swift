import Glibc
import ServiceRuntime
import TestSupport
import Testing

@Suite struct ProcessLockTests {
    @Test func aSecondHolderIsRefused() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/lock"
            let lock = try ProcessLock(path: path)
            #expect(throws: ProcessLock.Refusal.held(path: path)) { _ = try ProcessLock(path: path) }
            withExtendedLifetime(lock) {}
        }
    }

    @Test func anUnusablePathIsToldFromAHeldLock() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/missing/lock"
            #expect(throws: ProcessLock.Refusal.unusable(path: path, errno: ENOENT)) { _ = try ProcessLock(path: path) }
        }
    }

    /// A child has the descriptors of this process until it runs its program.
    @Test func aLockIsFreeAtOnceThoughAChildStillHasItsDescriptor() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory + "/lock"
            var lock: ProcessLock? = try ProcessLock(path: path)
            let descriptor = try #require(Self.descriptor(of: path))
            let childs = dup(descriptor)
            defer { close(childs) }
            withExtendedLifetime(lock) {}
            lock = nil
            _ = try ProcessLock(path: path)
        }
    }

    private static func descriptor(of path: String) -> CInt? {
        (0..<CInt(getdtablesize())).first { descriptor in
            var opened = stat()
            var named = stat()
            return fstat(descriptor, &opened) == 0 && stat(path, &named) == 0
                && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino
        }
    }
}
