import FoundationEssentials
import OCIRegistry
import Testing

@Suite struct ManifestTests {
    static let empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    static let config = #"{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"\#(empty)","size":2}"#

    private func manifest(_ text: String, as type: MediaType? = nil) throws -> Manifest {
        try Manifest(Array(text.utf8), contentType: type)
    }

    @Test func anImageNamesItsConfigurationAndLayers() throws {
        let text = """
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":\(Self.config),
             "layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"\(Self.empty)","size":2},
                       {"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
                        "digest":"\(Self.empty)","size":2}],
             "annotations":{"a":"b"},"unknown":{"x":[1,2.5,null]}}
            """
        let manifest = try manifest(text, as: .ociManifest)
        #expect(manifest.mediaType == .ociManifest)
        #expect(manifest.references.map(\.mustBePresent) == [true, true, false])
        #expect(manifest.artifactType == .ociConfiguration)
        #expect(manifest.annotations == ["a": "b"])
        #expect(manifest.subject == nil)
    }

    @Test func aDockerManifestListIsAnIndex() throws {
        let text = """
            {"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[
             {"mediaType":"application/vnd.docker.distribution.manifest.v2+json","digest":"\(Self.empty)","size":2,
              "platform":{"architecture":"arm64","os":"linux","variant":"v8"}}]}
            """
        let manifest = try manifest(text)
        guard case .index(let index) = manifest.content else {
            Issue.record("not read as an index")
            return
        }
        #expect(index.manifests.first?.platform == Platform(architecture: "arm64", os: "linux", variant: "v8"))
    }

    @Test func withoutAnyTypeTheMembersDecide() throws {
        #expect(try manifest(#"{"schemaVersion":2,"manifests":[]}"#).mediaType == .ociIndex)
        #expect(try manifest(#"{"schemaVersion":2,"config":\#(Self.config),"layers":[]}"#).mediaType == .ociManifest)
    }

    @Test func anArtifactTypeBeatsTheConfigurationType() throws {
        let text = """
            {"schemaVersion":2,"artifactType":"application/x-signature","config":\(Self.config),"layers":[],
             "subject":\(Self.config)}
            """
        let manifest = try manifest(text, as: .ociManifest)
        #expect(manifest.artifactType?.rawValue == "application/x-signature")
        #expect(manifest.subject?.digest.description == Self.empty)
    }

    @Test(arguments: [
        "", "[]", "{}", "nonsense", #"{"schemaVersion":1}"#, #"{"schemaVersion":2}"#,
        #"{"schemaVersion":"2","manifests":[]}"#,
        #"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","layers":[],"manifests":[]}"#,
        #"{"schemaVersion":2,"mediaType":"text/plain","manifests":[]}"#,
        #"{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"sha256:../x","size":1}]}"#,
        #"{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"\#(empty)","size":-1}]}"#,
        #"{"schemaVersion":2,"config":null,"layers":[]}"#,
    ])
    func malformedManifestsAreRefused(_ text: String) {
        #expect { try manifest(text) } throws: { ($0 as? OCIError)?.code == .invalidManifest }
    }

    @Test func aDeclaredTypeMustNotContradictTheDocument() {
        let text = #"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#
        #expect(throws: OCIError.self) { try manifest(text, as: .ociManifest) }
    }

    @Test func aProblemNamesTheMember() {
        #expect {
            try manifest(#"{"schemaVersion":2,"config":\#(Self.config),"layers":[{"mediaType":"a/b","size":1}]}"#)
        } throws: {
            "\($0)".contains("layers.[0].digest is missing")
        }
    }

    @Test func encodingAnIndexYieldsTheWireNames() throws {
        let index = ImageIndex(manifests: [
            Descriptor(
                mediaType: .ociManifest, digest: try ImageDigest(Self.empty), size: 2,
                platform: Platform(architecture: "amd64", os: "linux"))
        ])
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(index), as: UTF8.self)
        let expected =
            #"{"manifests":[{"digest":"\#(Self.empty)","mediaType":"application/vnd.oci.image.manifest.v1+json","#
            + #""platform":{"architecture":"amd64","os":"linux"},"size":2}],"#
            + #""mediaType":"application/vnd.oci.image.index.v1+json","schemaVersion":2}"#
        #expect(text == expected)
    }

    @Test func aConfigurationTellsHowContainersStart() throws {
        let text = """
            {"architecture":"amd64","os":"linux","config":{"User":"1000",
             "ExposedPorts":{"9090/udp":{},"8080/tcp":{},"80":{}},
             "Env":["A=b"],"Cmd":["serve"],"Entrypoint":null,"WorkingDir":"/app"},
             "rootfs":{"type":"layers","diff_ids":["\(Self.empty)"]},"history":[]}
            """
        let configuration = try ImageConfiguration(Array(text.utf8))
        #expect(configuration.exposedTCPPorts == [80, 8080])
        #expect(configuration.config?.command == ["serve"])
        #expect(configuration.config?.entrypoint == [])
        #expect(throws: OCIError.self) { try ImageConfiguration(Array("{}".utf8)) }
    }
}
