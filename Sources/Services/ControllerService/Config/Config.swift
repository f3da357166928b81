import FoundationEssentials

/// One row of an app's config; every change makes a new one.
struct Config: Sendable {
    let uuid: UUID
    let app: UUID
    let document: ConfigDocument
    let created: Date
    let updated: Date
}
