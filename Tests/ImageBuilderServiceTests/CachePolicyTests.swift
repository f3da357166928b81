import FoundationEssentials
import Testing

@testable import ImageBuilderService

/// Which image goes next, without any storage.
struct CachePolicyTests {
    private static let now = Date(timeIntervalSince1970: 1_000_000)

    private static func image(_ id: String, _ layer: String?, age: Double, isKept: Bool = false) -> LayerContents.Image
    {
        LayerContents.Image(id: id, layer: layer, created: now.addingTimeInterval(-age), isKept: isKept)
    }

    /// base ← a ← b, base ← c; the base is tagged.
    private static let contents = LayerContents(
        layers: [
            "base": .init(parent: nil, size: 1000), "a": .init(parent: "base", size: 10),
            "b": .init(parent: "a", size: 20), "c": .init(parent: "base", size: 40),
        ],
        images: [
            image("base", "base", age: 9000, isKept: true), image("a", "a", age: 500), image("b", "b", age: 400),
            image("b2", "b", age: 390), image("c", "c", age: 300),
        ])

    private func next(
        size: Int? = nil, age: Duration? = nil, grace: Duration = .zero, uses: [String: Date] = [:],
        tried: Set<String> = []
    ) -> String? {
        CachePolicy(size: size, age: age, grace: grace)
            .next(in: Self.contents, uses: uses, tried: tried, now: Self.now)
    }

    @Test func keptImagesDoNotCount() { #expect(Self.contents.cacheBytes == 70) }

    @Test func withinTheLimitsNothingGoes() {
        #expect(next() == nil)
        #expect(next(size: 70, age: .seconds(400)) == nil)
    }

    @Test func theLastImageOfTheOldestLayerGoesFirst() { #expect(next(size: 69) == "b2") }

    @Test func aUseMakesItYoung() {
        #expect(next(size: 69, uses: ["b2": Self.now]) == "c")
        #expect(next(size: 69, uses: ["c": Self.now]) == "b2")
    }

    @Test func ageCountsFromTheLastUse() {
        #expect(next(age: .seconds(389)) == "b2")
        #expect(next(age: .seconds(389), uses: ["b2": Self.now]) == nil)
    }

    @Test func theGraceWins() { #expect(next(size: 0, age: .seconds(1), grace: .seconds(391)) == nil) }

    @Test func whatCouldNotBeRemovedIsLeftOut() { #expect(next(size: 69, tried: ["b2"]) == "b") }

    @Test func emptyStorageIsFine() {
        let empty = LayerContents(layers: [:], images: [])
        let policy = CachePolicy(size: 0, age: .seconds(1), grace: .zero)
        #expect(policy.next(in: empty, uses: [:], tried: [], now: Self.now) == nil)
        #expect(empty.cacheBytes == 0)
    }
}
