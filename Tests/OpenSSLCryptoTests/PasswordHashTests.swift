import Testing

@testable import OpenSSLCrypto

@Suite struct PasswordHashTests {
    @Test func aRecordVerifiesItsPasswordOnly() async throws {
        let hash = PasswordHash(cost: 10)
        let record = try await hash.create("correct horse")
        #expect(record.hasPrefix("scrypt$ln=10,r=8,p=1$"))
        #expect(try await hash.verify("correct horse", record: record))
        #expect(try await !hash.verify("correct hors", record: record))
        #expect(try await !hash.verify("", record: record))
        #expect(try await hash.create("correct horse") != record)
    }

    @Test func recordsOfOtherParametersStillVerify() async throws {
        let record = try await PasswordHash(cost: 9).create("pässwörd")
        let current = PasswordHash(cost: 10)
        #expect(try await current.verify("pässwörd", record: record))
        #expect(current.needsRenewal(record))
        #expect(try await !current.needsRenewal(current.create("x")))
        #expect(current.needsRenewal("garbage"))
    }

    /// RFC 7914 section 12, second vector.
    @Test func derivationAgreesWithTheStandard() throws {
        let parameters = ScryptParameters(costLogarithm: 10, blockSize: 8, parallelization: 16)
        let hash = try parameters.derive("password", salt: Array("NaCl".utf8), count: 64)
        #expect(Hex.encode(hash).hasPrefix("fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"))
    }

    @Test func theEmptyPasswordIsAPassword() async throws {
        let hash = PasswordHash(cost: 10)
        let record = try await hash.create("")
        #expect(try await hash.verify("", record: record))
        #expect(try await !hash.verify("x", record: record))
    }

    @Test(arguments: [
        "", "scrypt", "scrypt$ln=15,r=8,p=1$AAAA$AAAA", "bcrypt$ln=15,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA",
        "scrypt$ln=40,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$ln=15,r=8$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$ln=15,r=-1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ])
    func damagedRecordsAreErrorsNotMismatches(record: String) async {
        let error = await #expect(throws: CryptoError.self) {
            try await PasswordHash(cost: 10).verify("x", record: record)
        }
        #expect(error?.code == .badEncoding)
    }

    @Test func aFullQueueAnswersBusyAtOnce() async throws {
        let hash = PasswordHash(threads: 1, queueLimit: 2, cost: 14)
        let outcomes = await withTaskGroup(of: CryptoError.Code?.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    do {
                        _ = try await hash.create("x")
                        return nil
                    } catch {
                        return (error as? CryptoError)?.code
                    }
                }
            }
            return await group.reduce(into: [CryptoError.Code?]()) { $0.append($1) }
        }
        #expect(outcomes.contains(.busy))
        #expect(outcomes.contains(nil))
        #expect(outcomes.allSatisfy { $0 == nil || $0 == .busy })
        #expect(try await hash.verify("x", record: hash.create("x")))
    }
}
