import ServiceRuntime

/// How builds run on this machine; the job itself comes on standard input.
///
/// - `IMAGEBUILDER_STORAGE_ROOT`, `IMAGEBUILDER_STORAGE_RUNROOT`: container storage; buildah's defaults when empty.
///   Sharing them with the container engine lets it start the image without a second copy of its layers.
/// - `IMAGEBUILDER_MEMORY`: memory limit of a build step, such as `2g` (default).
/// - `IMAGEBUILDER_CPUS`: CPUs a build step may use, 1 to 256; default 2.
/// - `IMAGEBUILDER_NETWORK`: `bridge` (default) or `none` for build steps; the host's network is not offered.
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

    init(reader: inout ConfigurationReader) {
        storageRoot = reader.optionalString("IMAGEBUILDER_STORAGE_ROOT")
        storageRunRoot = reader.optionalString("IMAGEBUILDER_STORAGE_RUNROOT")
        memory = reader.string("IMAGEBUILDER_MEMORY", default: "2g")
        cpus = reader.integer("IMAGEBUILDER_CPUS", default: 2, in: 1...256)
        network = reader.choice("IMAGEBUILDER_NETWORK", default: Network.bridge)
        if memory.last.map({ "bkmg0123456789".contains($0) }) != true || Int(memory.prefix(while: \.isNumber)) == nil {
            reader.report("IMAGEBUILDER_MEMORY", "must be a number with an optional unit b, k, m or g")
        }
    }
}
