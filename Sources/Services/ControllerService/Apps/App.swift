import FoundationEssentials
import PlatformModel

/// An app: its name, its owner and how many processes of each type it should run.
struct App: Sendable, Equatable {
    let uuid: UUID
    let id: AppName
    let uid: Int
    /// The workspace's name; summaries begin with it.
    let workspace: WorkspaceName
    let workspaceUUID: UUID
    let structure: Structure
    /// Counts every change of what the app should look like.
    let generation: Int
    /// The generation the worker has brought about.
    let observedGeneration: Int
    /// The release whose processes serve now.
    let liveRelease: UUID?
    let created: Date
    let updated: Date
}
