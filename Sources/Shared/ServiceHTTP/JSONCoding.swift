package import FoundationEssentials
package import PlatformModel

/// The one encoder and decoder set-up of the platform: ISO 8601 dates, sorted members, unescaped slashes.
package enum JSONCoding {
    package static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    package static var decoder: JSONDecoder {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .iso8601
        return decoder
    }

    /// - Returns: nil for a text that is no JSON.
    package static func value(of text: String) -> JSONValue? {
        do {
            return try decoder.decode(JSONValue.self, from: Data(text.utf8))
        } catch {
            // Whoever sent it is told so; where it is broken helps nobody.
            return nil
        }
    }
}
