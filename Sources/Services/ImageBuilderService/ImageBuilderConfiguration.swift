import ServiceRuntime

/// How builds run on this machine; the job itself comes on standard input.
///
/// - `IMAGEBUILDER_STORAGE_ROOT`, `IMAGEBUILDER_STORAGE_RUNROOT`: container storage; buildah's defaults when empty.
///   Sharing them with the container engine lets it start the image without a second copy of its layers.
/// - `IMAGEBUILDER_MEMORY`: memory limit of a build step, such as `2g` (default).
/// - `IMAGEBUILDER_CPUS`: CPUs a build step may use, 1 to 256; default 2.
/// - `IMAGEBUILDER_NETWORK`: `bridge` (default) or `none` for build steps; the host's network is not offered.
/// - `IMAGEBUILDER_CACHE_SIZE`: what layers of former builds may take, such as `20g` (default); 0 for no limit.
/// - `IMAGEBUILDER_CACHE_AGE`: seconds after their last use when layers go in any case; default 1209600, 0 for no
/// limit.
/// - `IMAGEBUILDER_CACHE_GRACE`: seconds after their last use when no layer goes; default 600.
/// - `LOG_LEVEL`, `LOG_FORMAT`: see the shared settings.
struct ImageBuilderConfiguration: Sendable {
    enum Network: String, CaseIterable, Sendable {
        case bridge, none
    }

    let storageRoot: String?
    let storageRunRoot: String?
    let memory: String
    let cpus: Int
    let network: Network
    let cache: CachePolicy

    init(reader: inout ConfigurationReader) {
        storageRoot = reader.optionalString("IMAGEBUILDER_STORAGE_ROOT")
        storageRunRoot = reader.optionalString("IMAGEBUILDER_STORAGE_RUNROOT")
        memory = reader.string("IMAGEBUILDER_MEMORY", default: "2g")
        cpus = reader.integer("IMAGEBUILDER_CPUS", default: 2, in: 1...256)
        network = reader.choice("IMAGEBUILDER_NETWORK", default: Network.bridge)
        let size = reader.string("IMAGEBUILDER_CACHE_SIZE", default: "20g")
        let age = reader.duration("IMAGEBUILDER_CACHE_AGE", default: .seconds(14 * 86400))
        let bytes = Self.bytes(size)
        cache = CachePolicy(
            size: bytes == 0 ? nil : bytes, age: age == .zero ? nil : age,
            grace: reader.duration("IMAGEBUILDER_CACHE_GRACE", default: .seconds(600)))
        for (name, text) in [("IMAGEBUILDER_MEMORY", memory), ("IMAGEBUILDER_CACHE_SIZE", size)]
        where Self.bytes(text) == nil {
            reader.report(name, "must be a number with an optional unit b, k, m or g")
        }
    }

    /// Reads `512m` and the like.
    private static func bytes(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int(digits),
            let shift = ["": 0, "b": 0, "k": 10, "m": 20, "g": 30][text.dropFirst(digits.count)]
        else { return nil }
        let (bytes, isTooLarge) = number.multipliedReportingOverflow(by: 1 << shift)
        return isTooLarge ? nil : bytes
    }
}
