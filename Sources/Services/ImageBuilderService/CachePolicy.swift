import FoundationEssentials

/// How large and how old the layer cache may become.
struct CachePolicy: Sendable {
    /// Bytes; nil for no limit.
    let size: Int?
    /// How long after its last use a build's layers go in any case; nil for no limit.
    let age: Duration?
    /// Layers stay at least this long after their last use: a deploy may be about to start from them.
    let grace: Duration

    /// The image whose layers should go next: that whose last use is longest ago, of those nothing is built upon.
    ///
    /// Removing it takes along the layers only it needs.
    /// - Parameters:
    ///   - uses: when builds used images last, where it is known.
    ///   - tried: images that could not be removed.
    /// - Returns: nil when everything may stay.
    func next(in contents: LayerContents, uses: [String: Date], tried: Set<String>, now: Date) -> String? {
        let parents = Set(contents.layers.values.compactMap(\.parent))
        var oldest: (image: String, used: Date)?
        var lastUses: [String: (image: String, used: Date)] = [:]
        for image in contents.images where !image.isKept && !tried.contains(image.id) {
            guard image.layer.map({ !parents.contains($0) }) ?? true else { continue }
            let used = max(uses[image.id] ?? .distantPast, image.created)
            let key = image.layer ?? image.id
            // Steps without files give images with the same layers: the last of them counts, and goes first.
            if let other = lastUses[key], other.used > used { continue }
            lastUses[key] = (image.id, used)
        }
        for candidate in lastUses.values where oldest.map({ candidate.used < $0.used }) ?? true { oldest = candidate }
        guard let oldest else { return nil }
        let unused = Duration.seconds(now.timeIntervalSince(oldest.used))
        guard unused >= grace else { return nil }
        if let age, unused > age { return oldest.image }
        if let size, contents.cacheBytes > size { return oldest.image }
        return nil
    }
}
