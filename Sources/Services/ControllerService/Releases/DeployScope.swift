import PlatformModel

/// Which process types of a release a deploy request covers.
enum DeployScope {
    /// One release with the documents that decide what runs.
    struct Side: Sendable {
        let offer: BuildOffer
        let config: ConfigDocument
    }

    /// Process types asked for that the release has; none asked for means all.
    ///
    /// - Throws: ``Refusal`` 400 when none of those asked for belongs to the release.
    static func wanted(_ asked: [String], of offer: BuildOffer) throws(Refusal) -> [String] {
        let available = offer.ptypes
        guard !asked.isEmpty else { return available }
        let wanted = asked.filter { available.contains($0) }
        guard !wanted.isEmpty else {
            let list = available.map { "'\($0)'" }.joined(separator: ", ")
            throw .invalid("skip deploy, ptypes are not within the optional range: [\(list)]")
        }
        return wanted
    }

    /// Those of `ptypes` that would run differently than under the last release that was deployed.
    static func changed(_ ptypes: [String], new: Side, old: Side?) -> [String] {
        guard let old else { return ptypes }
        let previous = Set(old.offer.ptypes)
        return ptypes.filter { ptype in
            !previous.contains(ptype) || new.offer.launch(of: ptype) != old.offer.launch(of: ptype)
                || new.config.differs(from: old.config, for: ptype)
        }
    }
}
