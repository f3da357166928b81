import Glibc

/// The ports of one installation.
struct PortPlan: Codable, Equatable, Sendable {
    /// What listens on a port of its own.
    enum Use: String, CaseIterable, Codable, Sendable {
        case http, https, ssh, postgres, broker, epmd, registry, controller, worker, passport, logger, router, shipper
        case brokerDistribution = "broker_distribution"
        case builderHealth = "builder_health"
        case loggerForward = "logger_forward"

        /// Tried in this order before any free port is taken.
        var preferred: [Int] {
            switch self {
            case .http: [80, 8080]
            case .https: [443, 8443]
            case .ssh: [2222]
            case .postgres: [5433]
            case .broker: [5672]
            case .brokerDistribution: [25672]
            case .epmd: [4369]
            case .registry: [5000]
            case .controller: [8000]
            case .passport: [8001]
            case .worker: [8002]
            case .logger: [8088]
            case .loggerForward: [24224]
            case .router: [8090]
            case .builderHealth: [8092]
            case .shipper: [24231]
            }
        }

        /// Whether people, git remotes or stored images depend on the number, so that it must not change by itself.
        var isPromised: Bool { [.http, .https, .ssh, .registry].contains(self) }
        /// Whether nginx listens on it.
        var isOfEdge: Bool { [.http, .https].contains(self) }
        /// Whether it is served on the addresses of the settings and not on the loopback address alone.
        var isPublic: Bool { [.http, .https, .ssh].contains(self) }
    }

    /// A promised port that another program has taken.
    struct Taken: Error, Equatable, CustomStringConvertible {
        let use: Use
        let port: Int

        var description: String {
            "port \(port) for \(use.rawValue) is in use by another program; free it, or choose another with "
                + "workflow up --\(use.rawValue)-port"
        }
    }

    /// Two uses were given one port.
    struct Clash: Error, Equatable, CustomStringConvertible {
        let use: Use
        let other: Use
        let port: Int

        var description: String {
            "\(other.rawValue) and \(use.rawValue) cannot both have port \(port); choose another with "
                + "workflow up --\(use.rawValue)-port"
        }
    }

    private(set) var numbers: [String: Int]

    init(numbers: [Use: Int] = [:]) {
        self.numbers = Dictionary(uniqueKeysWithValues: numbers.map { ($0.key.rawValue, $0.value) })
    }

    init(from decoder: any Decoder) throws { numbers = try [String: Int](from: decoder) }

    func encode(to encoder: any Encoder) throws { try numbers.encode(to: encoder) }

    /// The port of a use; 0 when it has not been chosen yet.
    subscript(_ use: Use) -> Int {
        get { numbers[use.rawValue] ?? 0 }
        set { numbers[use.rawValue] = newValue }
    }

    /// The first two promised uses with the same port.
    var clash: Clash? {
        var holders: [Int: Use] = [:]
        for use in Use.allCases where use.isPromised && self[use] != 0 {
            if let other = holders[self[use]] { return Clash(use: use, other: other, port: self[use]) }
            holders[self[use]] = use
        }
        return nil
    }

    /// Completes the plan: remembered ports stay, others are the first preferred one that is free, else any free one.
    ///
    /// - Parameters:
    ///   - isFree: whether a port can be listened on for a use.
    ///   - anyFree: a port nothing listens on.
    /// - Throws: ``Taken`` when a promised port cannot be kept, ``Clash`` when two promised ones are the same.
    mutating func complete(isFree: (Use, Int) -> Bool, anyFree: () throws -> Int) throws {
        if let clash { throw clash }
        let promised = Set(Use.allCases.filter(\.isPromised).map { self[$0] })
        var used = Set(numbers.values)
        for use in Use.allCases {
            let remembered = self[use]
            if remembered != 0 {
                let isFree = isFree(use, remembered)
                if isFree, use.isPromised || !promised.contains(remembered) { continue }
                if use.isPromised { throw Taken(use: use, port: remembered) }
            }
            var choice = use.preferred.first { !used.contains($0) && isFree(use, $0) }
            while choice == nil {
                let candidate = try anyFree()
                if !used.contains(candidate) { choice = candidate }
            }
            if let choice {
                self[use] = choice
                used.insert(choice)
            }
        }
    }
}

/// Asks the kernel about ports.
enum PortProbe {
    /// No port could be had.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Whether this process could listen on the port at the address right now.
    static func isFree(_ port: Int, address: String) -> Bool {
        guard let descriptor = try? listen(port: port, address: address) else {
            // Why it cannot be bound does not matter: it is of no use to us.
            return false
        }
        close(descriptor)
        return true
    }

    /// Whether the text is a literal address, v4 or v6.
    static func isAddress(_ text: String) -> Bool {
        var room = in6_addr()
        return inet_pton(text.contains(":") ? AF_INET6 : AF_INET, text, &room) == 1
    }

    /// A loopback port that was free a moment ago.
    static func anyFree() throws -> Int {
        let descriptor = try listen(port: 0, address: "127.0.0.1")
        defer { close(descriptor) }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard code == 0 else { throw Failure(description: "no free port was found") }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    private static func listen(port: Int, address text: String) throws -> Int32 {
        let isSix = text.contains(":")
        let descriptor = socket(
            isSix ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(description: "no socket could be made") }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        let bound = isSix ? bindSix(descriptor, text, port) : bindFour(descriptor, text, port)
        guard bound, Glibc.listen(descriptor, 1) == 0 else {
            close(descriptor)
            throw Failure(description: "port \(port) cannot be used")
        }
        return descriptor
    }

    private static func bindFour(_ descriptor: Int32, _ text: String, _ port: Int) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port)).bigEndian
        guard inet_pton(AF_INET, text, &address.sin_addr) == 1 else { return false }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    private static func bindSix(_ descriptor: Int32, _ text: String, _ port: Int) -> Bool {
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = in_port_t(UInt16(port)).bigEndian
        guard inet_pton(AF_INET6, text, &address.sin6_addr) == 1 else { return false }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
    }
}
