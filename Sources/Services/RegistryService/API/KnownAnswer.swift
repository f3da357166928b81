import NIOCore
import ServiceHTTP

/// The answer to pulls of one blob of a repository, which holds as long as what it was made from is unchanged.
struct KnownAnswer: Sendable {
    let answer: ImmediateAnswer
    /// What its receivers have to be allowed.
    let access: [ResourceAccess]
    /// The length of the blob.
    let size: Int
    /// When the blob was seen.
    var look: FolderLook

    /// How many bytes it takes.
    var weight: Int { answer.message.readableBytes }
}
