import Configuration
package import PlatformModel
package import ServiceHTTP
import SystemPackage

/// Reads a service's settings and collects everything wrong with them.
///
/// A key is an environment variable's name, such as `DATABASE_URL`. A variable wins over the file `database-url` in the
/// directory named by `SECRETS_DIRECTORY`, which wins over the default.
package struct ConfigurationReader {
    private let reader: ConfigReader
    /// Problems found so far, one sentence each, naming the variable.
    package private(set) var problems: [String] = []
    /// Every key asked for, in order, for the check against the service's documented variables.
    package private(set) var keys: [String] = []

    /// Reads from the process environment and the secrets directory.
    package init() async throws {
        let environment = EnvironmentVariablesProvider()
        let directory = ConfigReader(provider: environment).string(forKey: "secrets.directory", default: "")
        guard !directory.isEmpty else {
            reader = ConfigReader(provider: environment)
            return
        }
        reader = ConfigReader(providers: [
            environment, try await DirectoryFilesProvider(directoryPath: FilePath(directory)),
        ])
    }

    /// Reads from `variables` alone, for tests.
    package init(variables: [String: String]) {
        reader = ConfigReader(provider: EnvironmentVariablesProvider(environmentVariables: variables))
    }

    private mutating func raw(_ key: String, isSecret: Bool = false) -> String? {
        keys.append(key)
        let path = key.lowercased().split(separator: "_").joined(separator: ".")
        guard let text = reader.string(forKey: ConfigKey(path), isSecret: isSecret) else { return nil }
        let trimmed = text.trimmingNewlines()
        return trimmed.isEmpty ? nil : trimmed
    }

    /// Records a problem with `key`; `text` completes the sentence "KEY …".
    package mutating func report(_ key: String, _ text: String) { problems.append("\(key) \(text)") }

    /// Text, required.
    package mutating func string(_ key: String) -> String {
        guard let value = raw(key) else {
            report(key, "is not set")
            return ""
        }
        return value
    }

    package mutating func string(_ key: String, default fallback: String) -> String { raw(key) ?? fallback }

    package mutating func optionalString(_ key: String) -> String? { raw(key) }

    /// A secret, required.
    package mutating func secret(_ key: String) -> Secret {
        guard let value = raw(key, isSecret: true) else {
            report(key, "is not set")
            return Secret("")
        }
        return Secret(value)
    }

    package mutating func optionalSecret(_ key: String) -> Secret? { raw(key, isSecret: true).map { Secret($0) } }

    package mutating func integer(_ key: String, default fallback: Int, in range: ClosedRange<Int>) -> Int {
        guard let text = raw(key) else { return fallback }
        guard let value = Int(text), range.contains(value) else {
            report(key, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return fallback
        }
        return value
    }

    /// A number of seconds, whole or with a fraction.
    package mutating func duration(_ key: String, default fallback: Duration) -> Duration {
        guard let text = raw(key) else { return fallback }
        guard let value = Double(text), value >= 0, value < 1e9 else {
            report(key, "must be a number of seconds")
            return fallback
        }
        return .milliseconds(Int64(value * 1000))
    }

    package mutating func flag(_ key: String, default fallback: Bool) -> Bool {
        guard let text = raw(key)?.lowercased() else { return fallback }
        if ["true", "yes", "on", "1"].contains(text) { return true }
        if ["false", "no", "off", "0"].contains(text) { return false }
        report(key, "must be true or false")
        return fallback
    }

    package mutating func listen(_ key: String, default fallback: String) -> ListenAddress {
        value(key, default: fallback) { text throws(InvalidValue) in try ListenAddress(text) }
            ?? ListenAddress(host: "127.0.0.1", port: 0)
    }

    /// One of the cases of `Choice`, by its raw value.
    package mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ key: String, default fallback: Choice
    ) -> Choice {
        guard let text = raw(key) else { return fallback }
        guard let value = Choice(rawValue: text) else {
            let allowed = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            report(key, "must be one of \(allowed)")
            return fallback
        }
        return value
    }

    /// Any value with a throwing initializer; the default is text too, so that it obeys the same rules.
    package mutating func value<Value>(
        _ key: String, default fallback: String? = nil, parse: (String) throws(InvalidValue) -> Value
    ) -> Value? {
        guard let text = raw(key) ?? fallback else {
            report(key, "is not set")
            return nil
        }
        do throws(InvalidValue) {
            return try parse(text)
        } catch {
            report(key, error.message)
            return nil
        }
    }

    /// - Throws: ``ConfigurationError`` naming every problem at once.
    package func validate() throws(ConfigurationError) {
        if !problems.isEmpty { throw ConfigurationError(problems: problems) }
    }
}

/// Settings a service cannot start with.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    package let problems: [String]

    package init(problems: [String]) { self.problems = problems }

    package var description: String { problems.joined(separator: "; ") }
}

extension String {
    fileprivate func trimmingNewlines() -> String {
        var text = self[...]
        while text.last?.isNewline == true { text = text.dropLast() }
        return String(text)
    }
}
