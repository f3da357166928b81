import PlatformModel
import Testing

@testable import ControllerService

/// Controller API 4.6.
@Suite struct ConfigMergeTests {
    private func document(_ values: [(ConfigValue.Scope, String, String)]) -> ConfigDocument {
        var document = ConfigDocument()
        document.values = values.map { ConfigValue(scope: $0.0, name: $0.1, value: $0.2) }
        return document
    }

    private func change(_ body: [String: JSONValue]) throws -> ConfigChange {
        try ConfigChange(body: body, plans: .standard)
    }

    @Test func valuesAreReplacedAddedAndRemoved() throws {
        let base = document([(.group("global"), "A", "1"), (.ptype("web"), "A", "2"), (.group("global"), "C", "x")])
        let edit = try change([
            "values": [
                ["group": "global", "name": "A", "value": "9"], ["group": "global", "name": "B", "value": "new"],
                ["group": "global", "name": "C", "value": nil], ["group": "global", "name": "unknown", "value": nil],
            ]
        ])
        let result = try base.applying(edit, mode: .merge, structure: [])
        #expect(
            result
                == document([(.group("global"), "A", "9"), (.ptype("web"), "A", "2"), (.group("global"), "B", "new")]))
    }

    @Test func emptyTextRemovesAnEntryAndIsKeptForANewOne() throws {
        let base = document([(.group("global"), "A", "1")])
        let edit = try change([
            "values": [["group": "global", "name": "A", "value": ""], ["group": "global", "name": "B", "value": ""]]
        ])
        #expect(try base.applying(edit, mode: .merge, structure: []) == document([(.group("global"), "B", "")]))
    }

    @Test func replacingDropsOnlyTheScopesNamed() throws {
        let base = document([(.group("global"), "A", "1"), (.ptype("web"), "B", "2"), (.group("other"), "C", "3")])
        let edit = try change(["values": [["group": "global", "name": "N", "value": "1"]]])
        #expect(
            try base.applying(edit, mode: .replaceNamed, structure: [])
                == document([(.ptype("web"), "B", "2"), (.group("other"), "C", "3"), (.group("global"), "N", "1")]))
    }

    @Test func referencesAreUnitedInOrder() throws {
        var base = ConfigDocument()
        base.valuesRefs = ["web": ["b", "a"]]
        let result = try base.applying(
            try change(["values_refs": ["web": ["a", "c"]]]), mode: .merge, structure: [])
        #expect(result.valuesRefs == ["web": ["b", "a", "c"]])
        #expect(result.detaching(["web": ["a", "b", "c", "nope"], "zzz": ["a"]]).valuesRefs.isEmpty)
        #expect(throws: Refusal.unprocessable("worker does not exist under values_refs")) {
            try base.applying(try change(["values_refs": ["worker": []]]), mode: .merge, structure: [])
        }
    }

    @Test(
        arguments: [
            (["limits": ["web": nil]], "the web has already been used and cannot be deleted"),
            (["limits": ["zzz": nil]], "zzz does not exist under limits"),
            (["tags": ["web": ["environ": nil]]], "environ does not exist under tags"),
            (["registry": ["web": ["username": nil, "password": nil]]], "password does not exist under registry"),
            (["lifecycle": ["web": nil]], "web does not exist under lifecycle"),
            (
                ["healthcheck": ["livenessProbe": ["livenessProbe": nil]]],
                "livenessProbe does not exist under healthcheck"
            ),
        ] as [([String: JSONValue], String)])
    func removingWhatIsNotThereIsNamed(body: [String: JSONValue], sentence: String) throws {
        let edit = try change(body)
        #expect(throws: Refusal.unprocessable(sentence)) {
            try ConfigDocument().applying(edit, mode: .merge, structure: ["web"])
        }
    }

    @Test func probeIsRemovedFromAllTypesAsTheCommandLineSendsIt() throws {
        var base = ConfigDocument()
        base.healthcheck = ["web": ["livenessProbe": [:], "readinessProbe": [:]], "worker": ["livenessProbe": [:]]]
        let edit = try change(["healthcheck": ["livenessProbe": ["livenessProbe": nil]]])
        let result = try base.applying(edit, mode: .merge, structure: [])
        #expect(result.healthcheck == ["web": ["readinessProbe": [:]], "worker": [:]])
    }

    @Test func environmentIsGlobalThenGroupsThenOwn() {
        var config = document([
            (.group("global"), "A", "global"), (.group("one"), "A", "one"), (.group("two"), "A", "two"),
            (.group("two"), "B", "two"), (.ptype("web"), "B", "web"), (.ptype("worker"), "C", "worker"),
        ])
        config.valuesRefs = ["web": ["two", "one"]]
        #expect(config.environment(of: "web") == ["A": "one", "B": "web"])
        #expect(config.environment(of: "worker") == ["A": "global", "C": "worker"])
        #expect(!config.differs(from: config, for: "web"))
        var other = config
        other.tags = ["web": [:]]
        #expect(!config.differs(from: other, for: "web"))
        other.limits["web"] = "std1.large.c1m1"
        #expect(config.differs(from: other, for: "web") && !config.differs(from: other, for: "worker"))
    }

    @Test func valuesDoNotReachAPrintedText() {
        let config = document([(.group("global"), "A", "s3cret")])
        #expect(!"\(config) \(String(reflecting: config)) \(config.values)".contains("s3cret"))
    }

    @Test func dryccfileOwnsTheEnvironmentBothWays() {
        let file: JSONValue = [
            "config": ["global": ["A": "1"]],
            "pipeline": [
                "web.yaml": ["kind": "pipeline", "ptype": "web", "env": ["B": "2"], "config": ["g1"], "deploy": [:]]
            ],
        ]
        let applied = DryccfileConfig.apply(file, to: document([(.group("global"), "OLD", "x")]))
        #expect(applied.environment(of: "web") == ["A": "1", "B": "2"])
        #expect(applied.valuesRefs == ["web": ["g1"]])
        #expect(DryccfileConfig.rewrite(file, from: applied) == file)
    }
}

@Suite struct DryccfileRuleTests {
    private let pipeline: JSONValue = ["kind": "pipeline", "ptype": "web", "deploy": [:]]

    @Test func goodFilesPass() {
        #expect(DryccfileRule.problems(with: [:]).isEmpty)
        #expect(DryccfileRule.problems(with: ["pipeline": ["web.yaml": pipeline]]).isEmpty)
    }

    @Test func problemsAreNamed() {
        #expect(
            DryccfileRule.problems(with: ["pipeline": ["a.yaml": pipeline, "b.yaml": pipeline]])
                == ["Pipeline's ptype must be unique"])
        #expect(DryccfileRule.problems(with: ["config": [:]]) == ["pipeline is required and must be an object"])
        let odd: JSONValue = ["kind": "pipeline", "ptype": "x", "surprise": 1]
        #expect(DryccfileRule.problems(with: ["pipeline": ["a.yaml": odd]]).count == 3)
    }
}

@Suite struct BuildOfferTests {
    @Test func procfileLinesBecomeArguments() {
        let offer = BuildOffer(
            BuildContent(image: "a/b", stack: "container", procfile: ["web": "./server  -p 80", "worker": "./work"]))
        #expect(offer.kind == .image && offer.ptypes == ["web", "worker"])
        #expect(offer.launch(of: "web") == .init(image: "a/b", command: [], arguments: ["./server", "-p", "80"]))
    }

    @Test func buildpackImagesStartThemselves() {
        let offer = BuildOffer(BuildContent(image: "a/b", stack: "heroku", sha: "abc", procfile: ["web": "x"]))
        #expect(offer.kind == .buildpack && offer.launch(of: "web").arguments.isEmpty)
        #expect(BuildOffer(BuildContent(image: "a", stack: "c", sha: "abc", dockerfile: "FROM")).kind == .dockerfile)
        #expect(BuildOffer(BuildContent(image: "a", stack: "c")).ptypes == ["web"])
    }

    @Test func pipelinesNameImagesOfEachOther() {
        let file: JSONValue = [
            "pipeline": [
                "a.yaml": [
                    "ptype": "web", "build": ["docker": "Dockerfile"], "deploy": ["command": ["sh"], "args": ["x"]],
                    "run": ["args": ["migrate"], "image": "worker", "timeout": 60],
                ],
                "b.yaml": ["ptype": "worker", "build": [:], "deploy": ["image": "web"]],
                "c.yaml": ["ptype": "cron", "deploy": ["image": "docker.io/x:1"]],
            ]
        ]
        let offer = BuildOffer(BuildContent(image: "a/b", stack: "container", dryccfile: file))
        #expect(offer.ptypes == ["web", "worker", "cron"])
        #expect(offer.launch(of: "web") == .init(image: "a/b", command: ["sh"], arguments: ["x"]))
        #expect(offer.launch(of: "worker").image == "a/b" && offer.image(of: "worker") == "a/b-worker")
        #expect(offer.launch(of: "cron").image == "docker.io/x:1")
        #expect(
            offer.runners(for: ["web"])
                == [.init(ptype: "web", image: "a/b-worker", command: [], arguments: ["migrate"], timeout: 60)])
    }

    @Test(arguments: ["localhost/a", "localhost:5000/a", "127.0.0.1/a", "127.0.0.1:5000/a/b"])
    func loopbackImagesAreRefused(image: String) {
        let body: [String: JSONValue] = ["image": .string(image), "stack": "container"]
        #expect(throws: Refusal.invalid("image must not use the loopback address")) {
            try BuildRule.content(body)
        }
        #expect(throws: Never.self) { try BuildRule.content(body, allowsLoopback: true) }
    }
}
