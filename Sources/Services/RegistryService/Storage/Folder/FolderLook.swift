import ObjectStorage

/// When files of a folder were looked at, and how often the registry had placed or removed any until then.
///
/// What was seen is taken to be so still while the registry changes nothing, and for a moment only, because others may
/// change the folder too.
struct FolderLook: Sendable {
    /// How long what was seen is not looked at again: what others change shows that much later.
    private static let trust = Duration.milliseconds(10)

    private let changes: Int
    private let moment: ContinuousClock.Instant

    /// Begins a look: what is seen from now on counts.
    init(_ files: FileTree) {
        changes = files.changes
        moment = .now
    }

    private init(changes: Int, moment: ContinuousClock.Instant) {
        self.changes = changes
        self.moment = moment
    }

    /// Whether what this look saw need not be looked at again by a later one.
    func covers(_ later: Self) -> Bool { changes == later.changes && later.moment - moment < Self.trust }

    /// Covers no more than either of two looks does.
    static func earlier(_ one: Self, _ other: Self) -> Self {
        Self(changes: min(one.changes, other.changes), moment: min(one.moment, other.moment))
    }
}
