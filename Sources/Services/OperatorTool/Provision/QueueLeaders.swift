import CommandRunner

/// The leaders of a RabbitMQ node's quorum queues.
///
/// RabbitMQ 3 writes a new quorum queue's name to the disk up to a second after it was declared. A node that is killed
/// before makes the queue anew when it starts, and leaves it without a leader for good: it looks healthy in listings,
/// but takes no messages and gives none. An election ends that. It harms no other queue: one that has a leader is not
/// touched, and one that is just choosing its leader chooses the only candidate.
struct QueueLeaders: Sendable {
    /// What `rabbitmqctl` needs to find the node.
    let environment: [String: String]
    let identity: Command.Identity?

    private static let program = "/usr/lib/rabbitmq/bin/rabbitmqctl"

    /// Queues without a leader, by what came of them.
    struct Report: Equatable, Sendable {
        /// They have a leader now.
        var healed: [String] = []
        /// They have none still.
        var leaderless: [String] = []

        /// Reads what the node said, a line a queue: its fate and its name.
        init(_ text: String) {
            for line in text.split(separator: "\n") {
                let words = line.split(separator: " ", maxSplits: 1).map(String.init)
                switch words.first {
                case "healed": healed += words.dropFirst()
                case "leaderless": leaderless += words.dropFirst()
                default: break
                }
            }
        }
    }

    /// Names the queues without a leader.
    var look: Command { command([Self.found, Self.tell("leaderless")]) }

    /// Gives the queues without a leader one, and tells what came of each.
    var heal: Command {
        let elect = "[catch ra:trigger_election({S, node()}) || {_, S} <- Lost],"
        let fate = "case catch ra:members({S, node()}, 5000) of {ok, _, _} -> healed; _ -> leaderless end"
        return command([Self.found, elect, Self.tell(fate)])
    }

    func run(_ command: Command) async throws -> Report {
        Report(try await CommandRunner.check(command).text)
    }

    private func command(_ expressions: [String]) -> Command {
        var command = Command(
            Self.program, ["--silent", "eval", (expressions + ["ok."]).joined(separator: " ")],
            environment: environment, workingDirectory: environment["HOME"])
        command.identity = identity
        return command
    }

    /// Pairs of queue name and member for each quorum queue nobody leads.
    private static let found = """
        Lost = [{element(4, amqqueue:get_name(Q)), element(1, amqqueue:get_pid(Q))} || Q <- rabbit_amqqueue:list(), \
        amqqueue:get_type(Q) =:= rabbit_quorum_queue, \
        ra_leaderboard:lookup_leader(element(1, amqqueue:get_pid(Q))) =:= undefined],
        """

    private static func tell(_ fate: String) -> String {
        "[io:format(\"~s ~ts~n\", [\(fate), Q]) || {Q, S} <- Lost],"
    }
}

extension QueueLeaders.Report: CustomStringConvertible {
    var description: String {
        var parts: [String] = []
        if !healed.isEmpty { parts.append("had no leader and got one: \(healed.joined(separator: ", "))") }
        if !leaderless.isEmpty { parts.append("without a leader: \(leaderless.joined(separator: ", "))") }
        return parts.isEmpty ? "every queue has a leader" : parts.joined(separator: "; ")
    }
}
