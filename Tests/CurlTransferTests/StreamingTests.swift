import CurlTransfer
import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1)))
struct StreamingTests {
    @Test func chunksArriveWhileTheResponseIsStillRunning() async throws {
        let client = try HTTPClient()
        let (permits, permit) = AsyncStream.makeStream(of: Void.self)
        try await withServer { router in
            router.get("lines") { _, _ in
                Response(
                    status: .ok,
                    body: .init { writer in
                        var number = 0
                        try await writer.write(ByteBuffer(string: "line 0\n"))
                        for await _ in permits {
                            number += 1
                            try await writer.write(ByteBuffer(string: "line \(number)\n"))
                            if number == 3 { break }
                        }
                        try await writer.finish(nil)
                    })
            }
        } _: { base in
            let response = try await client.stream(TransferRequest(url: base + "/lines", timeout: nil))
            var lines: [String] = []
            for try await chunk in response.body {
                lines.append(String(decoding: chunk, as: UTF8.self))
                permit.yield()
            }
            #expect(lines == ["line 0\n", "line 1\n", "line 2\n", "line 3\n"])
        }
    }

    @Test func aSlowReaderHoldsTheServerBack() async throws {
        let client = try HTTPClient()
        let total = 64 * 1024 * 1024
        let sent = Mutex(0)
        try await withRawServer { number, iterator, outbound in
            var inbound = iterator
            try await inbound.readHead()
            guard number == 1 else {
                _ = try await inbound.next()
                return
            }
            try await outbound.say("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let block = ByteBuffer(repeating: 7, count: 64 * 1024)
            for _ in 0..<(total / block.readableBytes) {
                try await outbound.say(block)
                sent.withLock { $0 += block.readableBytes }
            }
        } _: { base in
            let response = try await client.stream(TransferRequest(url: base + "/flood"))
            var iterator = response.body.makeAsyncIterator()
            var received = try await iterator.next()?.count ?? 0
            // A peer's deadline passes on the same thread; by then the flood has filled the sockets and halted.
            let silent = TransferRequest(url: base + "/silent", timeout: .milliseconds(500))
            await #expect(throws: TransferError.self) { try await client.send(silent, limit: 1) }
            #expect(sent.withLock { $0 } < total / 2)
            while let chunk = try await iterator.next() { received += chunk.count }
            #expect(received == total)
        }
    }

    @Test func aSlowServerHoldsTheSourceBack() async throws {
        let client = try HTTPClient()
        let produced = Mutex(0)
        let (permits, permit) = AsyncStream.makeStream(of: Void.self)
        let total = 64 * 1024 * 1024
        try await withServer { router in
            router.get("nothing") { _, _ in "" }
            router.put("slow") { request, _ in
                for await _ in permits { break }
                var count = 0
                for try await buffer in request.body { count += buffer.readableBytes }
                return "\(count)"
            }
        } _: { base in
            let source = CountedSource(chunks: total / 65536, size: 65536) { size in produced.withLock { $0 += size } }
            async let answer = client.send(
                TransferRequest(method: .put, url: base + "/slow", body: .stream(source)))
            var before = -1
            while produced.withLock({ $0 }) != before || before == 0 {
                before = produced.withLock { $0 }
                for _ in 0..<50 { _ = try await client.send(TransferRequest(url: base + "/nothing")) }
            }
            #expect(before < total / 2)
            permit.yield()
            let text = try await answer.text
            #expect(text == "\(total)")
        }
    }

    @Test func cancellingTheReaderEndsTheTransfer() async throws {
        let client = try HTTPClient()
        let (ends, end) = AsyncStream.makeStream(of: Bool.self)
        let (starts, start) = AsyncStream.makeStream(of: Void.self)
        try await withRawServer { _, iterator, outbound in
            var inbound = iterator
            try await inbound.readHead()
            try await outbound.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
            let next = try await inbound.next()
            end.yield(next == nil)
        } _: { base in
            let reader = Task {
                let response = try await client.stream(TransferRequest(url: base + "/"))
                for try await _ in response.body { start.yield() }
            }
            for await _ in starts { break }
            reader.cancel()
            await #expect(throws: CancellationError.self) { try await reader.value }
            for await closed in ends {
                #expect(closed)
                break
            }
        }
    }

    @Test func cancellingBeforeTheHeadEndsTheTransfer() async throws {
        let client = try HTTPClient()
        let (starts, start) = AsyncStream.makeStream(of: Void.self)
        try await withRawServer { _, iterator, _ in
            var inbound = iterator
            try await inbound.readHead()
            start.yield()
            _ = try await inbound.next()
        } _: { base in
            let task = Task { try await client.send(TransferRequest(url: base + "/")) }
            for await _ in starts { break }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
    }

    @Test func droppingTheBodyEndsTheTransfer() async throws {
        let client = try HTTPClient()
        let (ends, end) = AsyncStream.makeStream(of: Bool.self)
        try await withRawServer { _, iterator, outbound in
            var inbound = iterator
            try await inbound.readHead()
            try await outbound.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc")
            end.yield(try await inbound.next() == nil)
        } _: { base in
            let status = try await client.stream(TransferRequest(url: base + "/")).status
            #expect(status == 200)
            for await closed in ends {
                #expect(closed)
                break
            }
        }
    }

    @Test func anErrorOfTheSourceEndsTheTransfer() async throws {
        struct SourceBroke: Error {}
        let client = try HTTPClient()
        try await withServer {
            $0.addEcho()
        } _: { base in
            let source = AsyncThrowingStream<[UInt8], any Error> { continuation in
                continuation.yield(Array("abc".utf8))
                continuation.finish(throwing: SourceBroke())
            }
            let request = TransferRequest(method: .post, url: base + "/echo", body: .stream(source))
            let error = await #expect(throws: TransferError.self) { try await client.send(request) }
            #expect(error?.code == .bodyFailed)
            #expect(error?.underlying is SourceBroke)
        }
    }
}
