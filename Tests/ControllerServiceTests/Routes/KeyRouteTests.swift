import AccessTokens
import HTTPTypes
import OpenSSLCrypto
import PlatformModel
import Postgres
import Testing

@testable import ControllerService

/// An ed25519 key whose last byte is `seed`.
func makeKeyLine(_ seed: UInt8, comment: String = "ada@laptop") -> String {
    let name = Array("ssh-ed25519".utf8)
    let blob = [0, 0, 0, 11] + name + [0, 0, 0, 32] + [UInt8](repeating: 1, count: 31) + [seed]
    return "ssh-ed25519 \(Base64.encode(blob)) \(comment)"
}

extension APITests {
    @Suite struct KeyRoutesTests {
        @Test func keysAreAddedListedAndRemoved() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                let line = makeKeyLine(1)
                let added = try await api.call(
                    .post, "/v2/keys/", #"{"id":"ada@laptop","public":"\#(line)","name":"ignored"}"#, as: ada)
                #expect(added.status == 201)
                try expectJSON(
                    added,
                    """
                    {"uuid":"*","owner":"ada","created":"*","updated":"*","id":"ada@laptop","public":"\(line)",
                     "fingerprint":"*"}
                    """)
                #expect(try added.json["fingerprint"]?.stringValue?.count == 47)
                let list = try await api.call(.get, "/v2/keys/?limit=0", as: ada)
                #expect(try list.json["count"] == 1)
                #expect(try await api.call(.get, "/v2/keys/ada@laptop", as: ada).status == 200)
                #expect(try await api.call(.delete, "/v2/keys/ada%40laptop", as: ada).status == 204)
                #expect(try await api.call(.delete, "/v2/keys/ada@laptop", as: ada).status == 404)
            }
        }

        @Test func takenKeysAndNamesAreRefusedOverAllPeople() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                let bob = try await api.signUp("bob", id: 8)
                try await api.call(.post, "/v2/keys/", #"{"id":"laptop","public":"\#(makeKeyLine(1))"}"#, as: ada)
                let name = try await api.call(
                    .post, "/v2/keys/", #"{"id":"laptop","public":"\#(makeKeyLine(2))"}"#, as: bob)
                #expect(name.status == 400)
                try expectJSON(name, #"{"id":["SSH Key with this id already exists."]}"#)
                let key = try await api.call(
                    .post, "/v2/keys/", #"{"id":"other","public":"\#(makeKeyLine(1, comment: "bob"))"}"#, as: bob)
                try expectJSON(key, #"{"public":["Public Key is already in use"]}"#)
                #expect(try await api.call(.get, "/v2/keys/laptop", as: bob).status == 404)
            }
        }

        private static let badKeys = [
            (#"{"id":"a","public":"ssh-ed25519 !!! x"}"#, #"{"public":["Key contains invalid base64 chars"]}"#),
            (#"{"id":"a"}"#, #"{"public":["This field is required."]}"#),
            (
                #"{"id":"","public":""}"#,
                #"{"id":["This field may not be blank."],"public":["This field may not be blank."]}"#
            ),
        ]

        @Test func badKeysAreNamed() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                for (body, expected) in Self.badKeys {
                    let answer = try await api.call(.post, "/v2/keys/", body, as: ada)
                    #expect(answer.status == 400)
                    try expectJSON(answer, expected)
                }
            }
        }

        /// How long it takes with 100,000 keys is measured by scripts/bench/key-lookup.
        @Test func ownersAreFoundByIndexAmongManyKeys() async throws {
            try await withAPI { api in
                try await api.database.execute(
                    "INSERT INTO users (id, username) SELECT n, 'user' || n FROM generate_series(1, 2000) AS n")
                try await api.database.execute(
                    """
                    INSERT INTO ssh_keys (uuid, owner, id, public, fingerprint_md5, fingerprint_sha256)
                    SELECT gen_random_uuid(), 1 + n % 2000, 'key' || n, 'ssh-ed25519 ' || n, md5(n::text),
                        'SHA256:' || encode(sha256(n::text::bytea), 'base64')
                    FROM generate_series(1, 20000) AS n
                    """)
                try await api.database.execute("ANALYZE ssh_keys, users")
                let rows = try await api.database.query("EXPLAIN \(sql: KeyStore.ownerQuery("SHA256:unknown"))")
                let plan = try rows.map { try $0.decode("QUERY PLAN", as: String.self) }.joined(separator: "\n")
                for index in ["ssh_keys_fingerprint_sha256_key", "ssh_keys_fingerprint_md5_index", "users_pkey"] {
                    #expect(plan.contains(index), "\(plan)")
                }
                #expect(!plan.contains("Seq Scan"), "\(plan)")
            }
        }

        @Test func builderFindsOwnersByFingerprint() async throws {
            try await withAPI { api in
                let ada = try await api.signUp("ada", id: 7)
                try await api.makeApp(as: ada)
                let added = try await api.call(
                    .post, "/v2/keys/", #"{"id":"laptop","public":"\#(makeKeyLine(1))"}"#, as: ada)
                let md5 = try #require(try added.json["fingerprint"]?.stringValue)
                let sha = try SSHPublicKey(makeKeyLine(1)).fingerprintSHA256
                let builder = try api.machine(scope: ["controller:hook"])
                for fingerprint in [md5, sha, sha.replacing(":", with: "%3A").replacing("/", with: "%2F"), sha + "/"] {
                    let answer = try await api.call(.get, "/v2/hooks/key/\(fingerprint)", as: builder)
                    #expect(answer.status == 200, "\(fingerprint)")
                    try expectJSON(answer, #"{"username":"ada","apps":["myapp"]}"#)
                }
                let unknown = String(repeating: "A", count: 43)
                #expect(try await api.call(.get, "/v2/hooks/key/SHA256:\(unknown)", as: builder).status == 404)
                #expect(try await api.call(.get, "/v2/hooks/key/\(md5)", as: ada).status == 401)
                let other = try api.machine(scope: ["controller:routes"])
                #expect(try await api.call(.get, "/v2/hooks/key/\(md5)", as: other).status == 403)
                #expect(try await api.call(.get, "/v2/hooks/keys/myapp/", as: builder).json["ada"] != nil)
            }
        }
    }
}
