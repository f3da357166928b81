import CommandRunner
import FoundationEssentials
import OCIRegistry
import PlatformModel
import ServiceHTTP

/// Pushes a built image to the registry with the job's short-lived credential.
struct ImagePush: Sendable {
    let buildah: Buildah
    let job: BuildJob

    struct Pushed: Sendable {
        let digest: ImageDigest
        /// Compressed bytes of all layers.
        let size: Int
    }

    /// - Throws: ``TemporaryFailure`` when the registry cannot be reached, ``BuildFailure`` when it refuses.
    func push(_ imageID: String, tag: ImageTag) async throws -> Pushed {
        let credentials = try writeCredentials()
        let digestFile = job.workDirectory + "/digest"
        let target = "docker://" + job.repository.tagged(tag).description
        let result = try await CommandRunner.run(
            buildah.command(
                ["push", "--quiet", "--digestfile", digestFile, "--retry", "3", "--format", "oci"]
                    + access(credentials) + [imageID, target]))
        guard result.exit.isSuccess else { throw failure(result.errorText) }
        let text = String(decoding: try Data(contentsOf: URL(filePath: digestFile)), as: UTF8.self)
        let digest = try ImageDigest(text.filter { !$0.isWhitespace })
        return Pushed(digest: digest, size: try await size(digest, credentials))
    }

    private func access(_ credentials: String?) -> [String] {
        var options = ["--tls-verify=\(!job.isRegistryInsecure)"]
        if let credentials { options += ["--authfile", credentials] }
        return options
    }

    private func size(_ digest: ImageDigest, _ credentials: String?) async throws -> Int {
        let image = "docker://" + job.repository.pinned(to: digest).description
        let result = try await CommandRunner.run(
            buildah.skopeo(["inspect", "--raw"] + access(credentials) + [image]))
        guard result.exit.isSuccess else { throw failure(result.errorText) }
        let manifest = try JSONCoding.decoder.decode(ImageManifest.self, from: Data(result.standardOutput))
        return manifest.layers.reduce(0) { $0 + $1.size }
    }

    /// An auth file in the format of containers-auth.json(5), readable by us alone.
    private func writeCredentials() throws -> String? {
        guard let user = job.registryUsername, let password = job.registryPassword else { return nil }
        struct AuthFile: Encodable {
            struct Entry: Encodable {
                let auth: String
            }

            let auths: [String: Entry]
        }
        let pair = Data("\(user):\(password.reveal())".utf8).base64EncodedString()
        let file = AuthFile(auths: [job.repository.host?.description ?? "": .init(auth: pair)])
        let path = job.workDirectory + "/auth.json"
        let contents = try JSONCoding.encoder.encode(file)
        guard
            FileManager.default.createFile(
                atPath: path, contents: contents, attributes: [.posixPermissions: 0o600])
        else { throw UnusableJob(detail: "cannot write to the work directory") }
        return path
    }

    private func failure(_ text: String) -> any Error {
        let last = text.split(whereSeparator: \.isNewline).last.map { String($0) } ?? "no reason given"
        let isRefusal = ["unauthorized", "denied", "403", "401"].contains { last.contains($0) }
        if isRefusal {
            return BuildFailure(
                .image, "The registry refused the image: \(last)",
                hint: "Push again; the build's credential may have expired.")
        }
        return TemporaryFailure(description: "pushing the image: \(last)")
    }
}
