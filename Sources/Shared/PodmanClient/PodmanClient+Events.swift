import CurlTransfer
package import FoundationEssentials
import HTTPTypes

/// Something that happened to a container.
package struct ContainerEvent: Sendable, Hashable {
    /// podman's word: `create`, `start`, `died`, `remove`, …
    package let action: String
    package let containerID: String
    package let name: String
    package let labels: [String: String]
    package let time: Date
}

/// Events as they come; dropping the sequence ends the subscription.
package struct ContainerEvents: AsyncSequence, Sendable {
    package typealias Element = ContainerEvent
    package typealias Failure = any Error

    let lines: JSONLines<WireEvent>

    package struct AsyncIterator: AsyncIteratorProtocol {
        var lines: JSONLines<WireEvent>.AsyncIterator

        package mutating func next() async throws -> ContainerEvent? { try await lines.next()?.event }
    }

    package func makeAsyncIterator() -> AsyncIterator { AsyncIterator(lines: lines.makeAsyncIterator()) }
}

struct WireEvent: Decodable, Sendable {
    struct Actor: Decodable, Sendable {
        private enum CodingKeys: String, CodingKey {
            case id = "ID"
            case attributes = "Attributes"
        }
        let id: String
        let attributes: [String: String]?
    }

    private enum CodingKeys: String, CodingKey {
        case action = "Action"
        case actor = "Actor"
        case nanoseconds = "timeNano"
    }

    let action: String
    let actor: Actor
    let nanoseconds: Int64

    var event: ContainerEvent {
        ContainerEvent(
            action: action, containerID: actor.id, name: actor.attributes?["name"] ?? "",
            labels: actor.attributes ?? [:], time: Date(timeIntervalSince1970: Double(nanoseconds) / 1e9))
    }
}

extension PodmanClient {
    /// What happens from now on to containers that carry every one of `labels` (`name=value`).
    ///
    /// The subscription is in place when the call returns. It may end at any time: subscribe again and read the whole
    /// state.
    package func events(labels: [String] = []) async throws -> ContainerEvents {
        var filters = ["type": ["container"]]
        if !labels.isEmpty { filters["label"] = labels }
        let response = try await open(.get, "events", query: [QueryItem("stream", true), try .filters(filters)])
        return ContainerEvents(lines: JSONLines(source: response.body))
    }
}
