import Testing

@testable import RegistryService

struct BoundedCacheTests {
    @Test func pastItsLimitAllIsForgotten() {
        let cache = BoundedCache<Int, String>(limit: 2)
        cache[1] = "a"
        cache[2] = "b"
        cache[2] = "c"
        #expect(cache[1] == "a" && cache[2] == "c")
        cache[3] = "d"
        #expect(cache[1] == nil && cache[2] == nil && cache[3] == "d")
    }

    @Test func whatIsKeptWeighsNoMoreThanTheBudget() {
        let cache = BoundedCache<Int, String>(budget: 10) { $0.utf8.count }
        cache[1] = "123456"
        cache[1] = "1234"
        cache[2] = "123456"
        // Together ten: what was replaced weighs nothing any more.
        #expect(cache[1] == "1234" && cache[2] == "123456")
        cache[1] = nil
        cache[3] = "1234"
        #expect(cache[2] == "123456" && cache[3] == "1234")
        cache[4] = "1"
        #expect(cache[2] == nil && cache[3] == nil && cache[4] == "1")
        cache[5] = "12345678901"
        #expect(cache[5] == nil && cache[4] == "1")
    }

    @Test func onlyWhatIsKeptIsChanged() {
        let cache = BoundedCache<Int, String>()
        cache[1] = "a"
        cache.update(1) { $0 = "b" }
        cache.update(2) { $0 = "c" }
        #expect(cache[1] == "b" && cache[2] == nil)
    }
}
