import FoundationEssentials
import HTTPTypes
import PlatformModel
import TestSupport
import Testing

@testable import ObjectStorage

@Suite(.enabled(if: TestEnvironment.hasS3), .timeLimit(.minutes(2)))
struct S3ObjectStoreTests {
    private func store() async throws -> any ObjectStore {
        try await makeObjectStore(
            url: try TestEnvironment.required(TestEnvironment.s3URL, "WORKFLOW_TEST_S3_URL"),
            accessKey: TestEnvironment.s3AccessKey, secretKey: Secret(TestEnvironment.s3SecretKey))
    }

    @Test(arguments: StoreContract.all)
    func keepsTheContract(_ promise: StoreContract) async throws {
        try await promise.check(try await store(), StoreContract.prefix())
    }

    @Test func aWrongSecretIsDenied() async throws {
        let code = await StoreContract.code {
            _ = try await makeObjectStore(
                url: try TestEnvironment.required(TestEnvironment.s3URL, "WORKFLOW_TEST_S3_URL"),
                accessKey: TestEnvironment.s3AccessKey, secretKey: Secret("wrong"))
        }
        #expect(code == .denied)
    }

    @Test func aPrefixInTheURLKeepsStoresApart() async throws {
        let url = try TestEnvironment.required(TestEnvironment.s3URL, "WORKFLOW_TEST_S3_URL")
        let parts = url.split(separator: "?", maxSplits: 1)
        let inner = try await makeObjectStore(
            url: "\(parts[0])/\(StoreContract.prefix())?\(parts[1])", accessKey: TestEnvironment.s3AccessKey,
            secretKey: Secret(TestEnvironment.s3SecretKey))
        try await inner.put(try ObjectKey("a"), bytes: [1])
        #expect(try await inner.listAll(prefix: "").map(\.key.description) == ["a"])
    }
}

@Suite struct S3SignatureTests {
    /// The example of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html.
    @Test func aRangedGetIsSignedAsDocumented() throws {
        let signature = S3Signature(
            credentials: S3Credentials(
                accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")),
            region: "us-east-1")
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        let subject = S3Signature.Subject(
            method: "GET", path: "/test.txt", query: [],
            fields: [
                ("host", "examplebucket.s3.amazonaws.com"), ("range", "bytes=0-9"), ("x-amz-content-sha256", empty),
                ("x-amz-date", "20130524T000000Z"),
            ], bodyHash: empty)
        let authorization = signature.authorization(for: subject, at: Date(timeIntervalSince1970: 1_369_353_600))
        #expect(
            authorization
                == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    /// The list example of the same page.
    @Test func aListIsSignedAsDocumented() throws {
        let signature = S3Signature(
            credentials: S3Credentials(
                accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")),
            region: "us-east-1")
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        let subject = S3Signature.Subject(
            method: "GET", path: "/", query: [("max-keys", "2"), ("prefix", "J")],
            fields: [
                ("host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", empty),
                ("x-amz-date", "20130524T000000Z"),
            ], bodyHash: empty)
        let authorization = signature.authorization(for: subject, at: Date(timeIntervalSince1970: 1_369_353_600))
        #expect(authorization.hasSuffix("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
    }
}

@Suite struct S3LocationTests {
    @Test func anEndpointWithAPortKeepsTheBucketInThePath() throws {
        let location = try S3Location(url: "s3://builder/a/b?endpoint=http://127.0.0.1:8333&region=eu-1")
        #expect(location.host == "127.0.0.1:8333" && location.basePath == "/builder" && location.scheme == "http")
        #expect(location.prefix == "a/b/" && location.region == "eu-1")
    }

    @Test func aPublicEndpointPutsTheBucketIntoTheHost() throws {
        let location = try S3Location(url: "s3://builder?region=eu-central-1")
        #expect(location.host == "builder.s3.eu-central-1.amazonaws.com" && location.basePath == "")
    }

    @Test(arguments: [("on", "/b-1"), ("true", "/b-1"), ("virtual", ""), ("0", "")])
    func theStyleCanBeChosen(_ style: String, _ path: String) throws {
        #expect(try S3Location(url: "s3://b-1?endpoint=https://s.example&path_style=\(style)").basePath == path)
    }

    @Test(arguments: [
        "s3://", "s3://ab", "s3://Bucket", "s3://bucket?endpoint=ftp://x", "s3://bucket?endpoint=http://",
        "s3://bucket?colour=red", "s3://bucket?path_style=maybe", "s3://bucket?endpoint=http://u@host",
    ])
    func otherURLsAreRefused(_ url: String) {
        #expect { try S3Location(url: url) } throws: { ($0 as? ObjectStorageError)?.code == .invalidConfiguration }
    }

    @Test(arguments: ["", "http://x", "file://relative", "file:///", "/tmp/x"])
    func otherSchemesAreRefused(_ url: String) async {
        #expect(await StoreContract.code { _ = try await makeObjectStore(url: url) } == .invalidConfiguration)
    }
}

@Suite struct S3ReplyTests {
    @Test func elementsAreFoundAndUnescaped() {
        let reply = S3Reply(
            Array(
                """
                <?xml version="1.0"?><ListBucketResult xmlns="x"><IsTruncated>false</IsTruncated>\
                <Contents><Key>a&amp;b&#x2F;&lt;</Key><Size>3</Size></Contents><Contents><Key>c</Key></Contents>\
                </ListBucketResult>
                """.utf8))
        #expect(reply.elements("Contents").map { $0.value("Key") } == ["a&b/<", "c"])
        #expect(reply.value("IsTruncated") == "false")
        #expect(reply.value("Missing") == nil)
    }

    @Test func bothSpellingsOfTimeAreRead() {
        let expected = Date(timeIntervalSince1970: 1_255_369_800)
        #expect(S3Reply.date(ofListing: "2009-10-12T17:50:00.000Z") == expected)
        #expect(S3Reply.date(ofField: "Mon, 12 Oct 2009 17:50:00 GMT") == expected)
        #expect(S3Reply.date(ofField: "yesterday") == nil)
    }
}
