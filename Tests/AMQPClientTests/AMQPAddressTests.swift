import Testing

@testable import AMQPClient

@Suite struct AMQPAddressTests {
    @Test func fullURLIsRead() throws {
        let address = try AMQPAddress(
            "amqps://us%40er:p%3Aw%2F@broker.example:5999/my%2Fhost?heartbeat=3&cacertfile=/a/b")
        #expect(address.isEncrypted)
        #expect(address.user == "us@er")
        #expect(address.password == "p:w/")
        #expect(address.host == "broker.example")
        #expect(address.port == 5999)
        #expect(address.virtualHost == "my/host")
        #expect(address.heartbeat == 3)
        #expect(address.certificateFile == "/a/b")
    }

    @Test func defaultsFillTheRest() throws {
        let address = try AMQPAddress("amqp://localhost")
        #expect(address.user == "guest")
        #expect(address.port == 5672)
        #expect(address.virtualHost == "/")
        #expect(try AMQPAddress("amqps://localhost").port == 5671)
        #expect(try AMQPAddress("amqp://[::1]:77/").host == "::1")
        #expect(try AMQPAddress("amqp://h/").virtualHost == "")
    }

    @Test(arguments: [
        "", "localhost", "http://localhost", "amqp://", "amqp://h:0", "amqp://h:x", "amqp://h:70000", "amqp://[::1",
        "amqp://u:%zz@h", "amqp://u:%0@h", "amqp://u:%00@h", "amqp://h?heartbeat=-1", "amqp://h?unknown=1",
        "amqp://%ff@h",
    ])
    func otherTextIsRefused(text: String) {
        let error = #expect(throws: AMQPError.self) { try AMQPAddress(text) }
        #expect(error?.code == .invalidURL)
    }
}
