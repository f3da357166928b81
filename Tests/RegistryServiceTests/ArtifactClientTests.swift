import CurlTransfer
import Foundation
import OCIRegistry
import TestSupport
import Testing

@testable import RegistryService

/// Charts by Helm's own library and other artifacts by ORAS, against the shipped executable.
@Suite(
    .enabled(
        if: TestEnvironment.isRequired || StockClients.packages != nil, "scripts/test-clients has not been run"),
    .timeLimit(.minutes(2)))
struct ArtifactClientTests {
    @Test func aChartIsPushedListedAndPulled() async throws {
        try await withTemporaryDirectory("chart") { folder in
            let registry = try await RegistryProcess(root: folder, port: try freePort())
            let output = try await StockClients(folder: folder).python(Self.helm, registry.address)
            struct Outcome: Decodable {
                let tags: [String]
                let digest: String
                let pulled: [String]
                let values: String
            }
            let outcome = try JSONDecoder().decode(Outcome.self, from: Data(output.utf8))
            #expect(outcome.tags == ["1.3.0", "1.2.3"])
            #expect(outcome.pulled == ["1.2.3 unchanged", "1.3.0 unchanged"])
            #expect(outcome.values == "{'greeting': 'hello'}")
            let reply = try await registry.send(
                TransferRequest(url: "http://\(registry.address)/v2/charts/sample/manifests/1.2.3"))
            #expect(reply.status == 200 && "\(ImageDigest(of: reply.body))" == outcome.digest)
            let manifest = try JSONDecoder().decode(ImageManifest.self, from: Data(reply.body))
            #expect(manifest.config.mediaType.rawValue == "application/vnd.cncf.helm.config.v1+json")
            try await registry.stop()
        }
    }

    @Test func artifactsAndWhatIsAboutThemArePushedAndPulled() async throws {
        try await withTemporaryDirectory("artifacts") { folder in
            let registry = try await RegistryProcess(root: folder, port: try freePort())
            let output = try await StockClients(folder: folder).python(Self.oras, registry.address)
            struct Outcome: Decodable {
                let tags: [String]
                let pulled: [String]
                let referrers: [String]
                let left: [String]
            }
            let line = try #require(output.split(separator: "\n").last)
            let outcome = try JSONDecoder().decode(Outcome.self, from: Data(line.utf8))
            #expect(outcome.tags == ["signature", "v1"])
            #expect(outcome.pulled == ["a note", String(repeating: "0123456789", count: 300_000)])
            #expect(outcome.referrers == ["ada"])
            #expect(outcome.left == ["signature"])
            try await registry.stop()
        }
    }

    /// Packs two versions of a chart, pushes them, and reads them back.
    private static let helm = """
        import glob, helm_python as helm, json, os, sys
        host = sys.argv[1]
        os.makedirs("chart/templates")
        open("chart/values.yaml", "w").write("greeting: hello\\n")
        open("chart/templates/map.yaml", "w").write(
            "apiVersion: v1\\nkind: ConfigMap\\nmetadata:\\n  name: {{ .Release.Name }}\\n")
        pulled = []
        with helm.RegistryClient(plain_http=True, credentials_file="credentials.json") as client:
            for version in ["1.2.3", "1.3.0"]:
                open("chart/Chart.yaml", "w").write(f"apiVersion: v2\\nname: sample\\nversion: {version}\\n")
                archive = helm.package("chart", destination=".")
                client.push(archive, f"oci://{host}/charts")
                os.makedirs(version)
                client.pull(f"oci://{host}/charts/sample", version=version, destination=version)
                copy, = glob.glob(f"{version}/*.tgz")
                same = open(copy, "rb").read() == open(archive, "rb").read()
                pulled.append(f"{version} {'unchanged' if same else 'changed'}")
            digest = client.resolve(f"{host}/charts/sample:1.2.3")["digest"]
            with helm.Chart.load(copy) as chart:
                values = str(chart.values)
            tags = client.tags(f"{host}/charts/sample")
        print(json.dumps({"tags": tags, "digest": digest, "pulled": pulled, "values": values}))
        """

    /// Pushes an artifact, in one piece and in chunks, and one about it; reads everything back and deletes the first.
    private static let oras = """
        import json, oras.client, oras.oci, requests, sys
        host = sys.argv[1]
        open("note.txt", "w").write("a note")
        open("long.txt", "w").write("0123456789" * 300000)
        open("signature.txt", "w").write("signed")
        client = oras.client.OrasClient(insecure=True, tls_verify=False)
        client.push(target=f"{host}/notes/app:v1", files=["note.txt:text/x-note"], quiet=True)
        first = client.pull(target=f"{host}/notes/app:v1", outdir="first")
        pushed = client.push(
            target=f"{host}/notes/app:v1", files=["long.txt:text/x-note"], do_chunked=True, chunk_size=1000000,
            quiet=True)
        second = client.pull(target=f"{host}/notes/app:v1", outdir="second")
        head = requests.head(f"http://{host}/v2/notes/app/manifests/v1", headers={"Accept": "*/*"})
        digest = head.headers["Docker-Content-Digest"]
        subject = oras.oci.Subject(head.headers["Content-Type"], digest, int(head.headers["Content-Length"]))
        client.push(
            target=f"{host}/notes/app:signature", files=["signature.txt:text/x-signature"], subject=subject,
            manifest_annotations={"by": "ada"}, quiet=True)
        told = requests.get(f"http://{host}/v2/notes/app/referrers/{digest}").json()
        tags = client.get_tags(f"{host}/notes/app")
        client.delete_tag(f"{host}/notes/app", "v1")
        print(json.dumps({
            "tags": tags, "pulled": [open(path).read() for path in first + second],
            "referrers": [entry["annotations"]["by"] for entry in told["manifests"]],
            "left": client.get_tags(f"{host}/notes/app")}))
        """
}
