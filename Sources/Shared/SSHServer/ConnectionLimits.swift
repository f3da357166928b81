/// Counts connections and decides whether one more fits.
struct ConnectionLimits {
    enum Verdict: Equatable {
        case admitted, full, tooManyFromAddress
    }

    let maximum: Int
    let maximumUnauthenticatedPerAddress: Int
    private(set) var count = 0
    private var unauthenticated: [String: Int] = [:]

    init(maximum: Int, maximumUnauthenticatedPerAddress: Int) {
        self.maximum = maximum
        self.maximumUnauthenticatedPerAddress = maximumUnauthenticatedPerAddress
    }

    mutating func admit(_ address: String) -> Verdict {
        guard count < maximum else { return .full }
        guard unauthenticated[address, default: 0] < maximumUnauthenticatedPerAddress else {
            return .tooManyFromAddress
        }
        count += 1
        unauthenticated[address, default: 0] += 1
        return .admitted
    }

    mutating func signedIn(_ address: String) {
        let left = unauthenticated[address, default: 1] - 1
        unauthenticated[address] = left > 0 ? left : nil
    }

    mutating func left(_ address: String, wasSignedIn: Bool) {
        count -= 1
        if !wasSignedIn { signedIn(address) }
    }
}
