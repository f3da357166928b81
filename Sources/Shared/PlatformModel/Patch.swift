/// A member of a change request: left out, set to null, or given a value.
package enum Patch<Value> {
    case absent
    case null
    case value(Value)
}

extension Patch: Sendable where Value: Sendable {}
extension Patch: Equatable where Value: Equatable {}

extension Patch {
    /// Reads `key` so that an absent member and a null member stay apart.
    package init<Key: CodingKey>(from container: KeyedDecodingContainer<Key>, key: Key) throws where Value: Decodable {
        if !container.contains(key) {
            self = .absent
        } else if try container.decodeNil(forKey: key) {
            self = .null
        } else {
            self = .value(try container.decode(Value.self, forKey: key))
        }
    }
}
