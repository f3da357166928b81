/// Which pushes are taken at all.
enum PushDecision {
    /// The reason stands behind `[remote rejected]`.
    struct Refused: Error, Equatable {
        let reason: String
    }

    /// The one ref a push may bring.
    static func only(of changes: [HookRequest.RefChange]) throws(Refused) -> HookRequest.RefChange {
        guard changes.count == 1, let change = changes.first else {
            throw Refused(reason: "push one branch or tag at a time")
        }
        guard change.new.contains(where: { $0 != "0" }) else {
            throw Refused(reason: "branches cannot be deleted here, nothing to build")
        }
        guard [40, 64].contains(change.new.count), change.new.allSatisfy(\.isHexDigit) else {
            throw Refused(reason: "the object id is malformed")
        }
        guard change.ref.hasPrefix("refs/heads/") || change.ref.hasPrefix("refs/tags/") else {
            throw Refused(reason: "only branches and tags are built")
        }
        guard isWellFormed(change.ref) else { throw Refused(reason: "git does not allow this name") }
        return change
    }

    /// The rules of git-check-ref-format(1); a hook must check them itself before git writes any ref.
    static func isWellFormed(_ ref: String) -> Bool {
        let components = ref.split(separator: "/", omittingEmptySubsequences: false)
        let areComponentsFine = components.allSatisfy { component in
            !component.isEmpty && component.first != "." && !component.hasSuffix(".lock")
        }
        let areCharactersFine = ref.unicodeScalars.allSatisfy { scalar in
            // What is no UTF-8 has become the replacement character on its way here.
            scalar.value > 0x20 && scalar.value != 0x7F && scalar.value != 0xFFFD
                && !"~^:?*[\\".unicodeScalars.contains(scalar)
        }
        return areComponentsFine && areCharactersFine && ref.last != "." && !ref.contains("..") && !ref.contains("@{")
    }
}
