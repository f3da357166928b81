package import CurlTransfer
import HTTPTypes

/// Speaks to nginx through the control socket, which only the router's user can reach.
package struct EdgeControl: Sendable {
    /// nginx did not take a table.
    package struct Refused: Error, CustomStringConvertible {
        package let description: String
    }

    private let client: HTTPClient
    private let socket: String

    package init(client: HTTPClient, socket: String) {
        self.client = client
        self.socket = socket
    }

    /// nginx holds another table than the one a change is for.
    package struct OutOfStep: Error {}

    /// Replaces the whole table. When it returns, no new request goes to a backend that is not in it.
    /// - Throws: ``Refused`` when nginx does not accept the records; ``TransferError`` when it cannot be reached.
    package func replaceTable(_ records: String) async throws {
        let response = try await client.send(request("table", method: .put, body: .text(records)))
        guard response.isSuccess else { throw Refused(description: "nginx refused the table: \(response.text)") }
    }

    /// Changes some records of the table, with the same promise.
    /// - Throws: ``OutOfStep`` when nginx holds another table than the change is for, else as ``replaceTable(_:)``.
    package func changeTable(_ records: String) async throws {
        let response = try await client.send(request("table", method: .patch, body: .text(records)))
        if response.status == 409 { throw OutOfStep() }
        guard response.isSuccess else { throw Refused(description: "nginx refused a change: \(response.text)") }
    }

    /// The version of the table nginx serves.
    package func version() async throws -> Int { Int(try await described().first ?? "") ?? 0 }

    /// The tag of the table nginx serves, empty when it has none.
    package func tag() async throws -> String { String(try await described().dropFirst().first ?? "") }

    private func described() async throws -> [Substring] {
        try await client.send(request("table")).requireSuccess().text.split(separator: " ")
    }

    /// nginx's own counters in the scraper's text format.
    package func metrics() async throws -> String {
        try await client.send(request("metrics")).requireSuccess().text
    }

    private func request(
        _ path: String, method: HTTPRequest.Method = .get, body: TransferBody = .none
    ) -> TransferRequest {
        TransferRequest(
            method: method, url: "http://edge/\(path)", body: body, unixSocket: socket, timeout: .seconds(10),
            connectTimeout: .seconds(2))
    }
}
