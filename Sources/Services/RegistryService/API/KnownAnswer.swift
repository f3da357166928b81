import NIOCore
import OCIRegistry
import ServiceHTTP

/// The answer to pulls of one blob of a repository, which holds as long as what it was made from is unchanged.
struct KnownAnswer: Sendable {
    let answer: ImmediateAnswer
    /// The blob when its content is not in the answer yet.
    let file: ImageDigest?
    /// The length of the blob.
    let size: Int
    /// What its receivers have to be allowed.
    let access: [ResourceAccess]
    /// When the blob was seen.
    var look: FolderLook

    /// How many bytes it takes.
    var weight: Int { answer.message.readableBytes }
}
