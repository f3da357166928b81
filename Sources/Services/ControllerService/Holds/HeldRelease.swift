import FoundationEssentials
import OCIRegistry
import PlatformModel

/// A release as the registry knows it: a holder of images.
struct HeldRelease: Sendable, Equatable {
    let uuid: UUID
    let app: AppName
    let version: ReleaseNumber
    /// References of everything the release may start, as its build names them.
    let images: Set<String>

    /// The name the release holds images under, such as `release-43`.
    var holder: String { Self.prefix + "\(version.value)" }

    private static let prefix = "release-"

    /// Whether a holder's name is that of some release; others may hold images for reasons of their own.
    static func isRelease(_ holder: String) -> Bool {
        holder.hasPrefix(prefix) && Int(holder.dropFirst(prefix.count)) != nil
    }

    /// What of its images lies in the app's own repository of the registry `host` and is named by its digest.
    ///
    /// Images of other registries are theirs to keep; one that is named by its tag is kept by the tag.
    func digests(at host: String) -> Set<ImageDigest> { Set(references(at: host).compactMap(\.digest)) }

    /// The tags by which images of the app's own repository are named.
    func tags(at host: String) -> Set<ImageTag> { Set(references(at: host).compactMap(\.tag)) }

    private func references(at host: String) -> [ImageReference] {
        let repository = RegistryTokenService.repositoryName(of: app)
        return images.compactMap { image in
            do throws(OCIError) {
                let reference = try ImageReference(image)
                return reference.host?.description == host && "\(reference.repository)" == repository ? reference : nil
            } catch {
                // Nothing could be started from such a name either; there is nothing to hold.
                return nil
            }
        }
    }
}
