import Hummingbird
import Logging
import NIOCore

/// What a request to the registry carries along.
struct RegistryContext: RequestContext {
    var coreContext: CoreRequestContextStorage

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
    }
}
