import FoundationEssentials
import PlatformModel

/// A config and a build under a number: what an app runs, ran, or was meant to run.
struct Release: Sendable, Equatable {
    enum State: String, Sendable, Codable {
        /// Never deployed, or being deployed.
        case created
        case succeed
        case crashed
    }

    /// What became of one deploy of the release.
    struct Condition: Sendable, Equatable, Codable {
        let state: State
        let action: String
        let ptypes: [String]
        let created: String
        let exception: String?

        init(state: State, ptypes: [String], created: Date, exception: String? = nil) {
            self.state = state
            self.action = "pipeline"
            self.ptypes = ptypes
            self.created = created.wire
            self.exception = exception
        }
    }

    let uuid: UUID
    let app: UUID
    let version: ReleaseNumber
    let state: State
    let summary: String
    let failed: Bool
    let exception: String?
    /// Newest first.
    let conditions: [Condition]
    let deployedPtypes: [String]
    let config: UUID
    let build: UUID?
    let created: Date
    let updated: Date
}

/// A release to be made; its number is given by the store.
struct NewRelease: Sendable {
    let app: UUID
    let config: UUID
    let build: UUID?
    let summary: String
}
