import PlatformModel

/// Which release a rollback goes to, decided before anything is written.
enum RollbackRule {
    /// - Parameters:
    ///   - requested: the number asked for; nil means the one before the latest good release.
    ///   - find: the release of a number, if there is one.
    /// - Throws: ``Refusal`` 400 with the sentence the command line shows.
    static func target(
        requested: Int?, latestGood: Release?, find: (Int) -> Release?
    ) throws(Refusal) -> Release {
        let number = requested ?? (latestGood.map { $0.version.value - 1 } ?? 0)
        guard number >= 1 else { throw .invalid("version cannot be below 0") }
        guard number > 1 else { throw .invalid("Cannot roll back to initial release.") }
        guard let release = find(number) else { throw .invalid("Release matching query does not exist.") }
        guard !release.failed else { throw .invalid("Cannot roll back to failed release.") }
        guard release.build != nil else { throw .invalid("there are no builds available for deploy") }
        return release
    }
}
