import FoundationEssentials
import PlatformModel
import Testing

struct ValueTests {
    @Test func secretsNeverPrintThemselves() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), "\([secret])", dumped, "\(Optional(secret) as Any)"] {
            #expect(!text.contains("hunter2"))
        }
        #expect(secret.reveal() == "hunter2")
    }

    @Test func jsonValuesKeepTheirKinds() throws {
        let text = #"{"a":[1,2.5,"x",true,null],"b":{}}"#
        let value = try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8))
        #expect(value == ["a": [1, 2.5, "x", true, nil], "b": [:]])
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        #expect(String(decoding: try encoder.encode(value), as: UTF8.self) == text)
    }

    @Test func patchTellsAbsentFromNull() throws {
        struct Change: Decodable {
            let email: Patch<String>

            enum CodingKeys: String, CodingKey {
                case email
            }

            init(from decoder: any Decoder) throws {
                email = try Patch(from: try decoder.container(keyedBy: CodingKeys.self), key: .email)
            }
        }
        let read = { (text: String) in try JSONDecoder().decode(Change.self, from: Data(text.utf8)).email }
        #expect(try read("{}") == .absent)
        #expect(try read(#"{"email":null}"#) == .null)
        #expect(try read(#"{"email":"a"}"#) == .value("a"))
    }

    @Test func wireDatesHaveWholeSeconds() throws {
        let date = try #require(Date(wire: "2026-05-10T16:08:09Z"))
        #expect(date.wire == "2026-05-10T16:08:09Z")
        #expect(Date(wire: "2026-05-10T16:08:09.250Z")?.wire == "2026-05-10T16:08:09Z")
        #expect(Date(wire: "yesterday") == nil)
    }
}
