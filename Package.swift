// swift-tools-version:6.2
//
// One package, separate executables over shared libraries. Sections are alphabetical, one dependency per line, and
// every target gets the compiler options of the loop at the end of this file.

import PackageDescription

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let configuration: Target.Dependency = .product(name: "Configuration", package: "swift-configuration")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTesting: Target.Dependency = .product(name: "HummingbirdTesting", package: "hummingbird")
let hummingbirdTLS: Target.Dependency = .product(name: "HummingbirdTLS", package: "hummingbird")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let jwtKit: Target.Dependency = .product(name: "JWTKit", package: "jwt-kit")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "Metrics", package: "swift-metrics")
let coreMetrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let mustache: Target.Dependency = .product(name: "Mustache", package: "swift-mustache")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioExtras: Target.Dependency = .product(name: "NIOExtras", package: "swift-nio-extras")
let nioHTTP1: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes: Target.Dependency = .product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1: Target.Dependency = .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let nioWebSocket: Target.Dependency = .product(name: "NIOWebSocket", package: "swift-nio")
let subprocess: Target.Dependency = .product(name: "Subprocess", package: "swift-subprocess")
let systemPackage: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let unixSignals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

/// What every service library needs to be a process: configuration, logs, metrics, HTTP, lifecycle.
let serviceBase: [Target.Dependency] = [
    "ConcurrencyPrimitives", "PlatformModel", "ServiceHTTP", "ServiceRuntime",
    configuration, hummingbird, hummingbirdCore, httpTypes, lifecycle, logging, metrics, nioCore,
]

func system(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(name: name, path: "Sources/System/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

func shared(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource]? = nil) -> Target {
    .target(name: name, dependencies: dependencies, path: "Sources/Shared/\(name)", resources: resources)
}

func service(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource]? = nil) -> Target {
    .target(
        name: name, dependencies: serviceBase + dependencies, path: "Sources/Services/\(name)", resources: resources)
}

func executable(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, path: "Sources/Executables/\(name)")
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.init(stringLiteral: name), "TestSupport"] + dependencies,
        path: "Tests/\(name)Tests")
}

let package = Package(
    name: "workflow",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // MARK: - Executables

        executable("builder", ["BuilderService"]),
        executable("controller", ["ControllerService"]),
        executable("fluentd-shipper", ["LogShipperService"]),
        executable("imagebuilder", ["ImageBuilderService"]),
        executable("logger", ["LoggerService"]),
        executable("passport", ["PassportService"]),
        executable("registry", ["RegistryService"]),
        executable("router", ["RouterService"]),
        executable("workflow", ["OperatorTool"]),

        // MARK: - Services

        service(
            "BuilderService",
            [
                "AMQPClient", "AccessTokens", "CommandRunner", "CurlTransfer", "ObjectStorage", "OpenSSLCrypto",
                "SSHServer", "TaskQueue", nioPosix,
            ]),
        tests(
            "BuilderService",
            [
                "BuildTestSupport", hummingbird, lifecycle, logging, "AMQPClient", "CommandRunner", "CurlTransfer",
                "ObjectStorage", "PlatformModel", "SSHServer", "ServiceHTTP", "ServiceRuntime", "TaskQueue",
                "AccessTokens", httpTypes, nioCore,
            ]),
        service(
            "ControllerService",
            [
                "AMQPClient", "AccessTokens", "CommandRunner", "CurlTransfer", "OCIRegistry", "ObjectStorage",
                "OpenSSLCrypto", "PodmanClient", "Postgres",
                "TaskOutbox", "TaskQueue", "WebSocketServer", argumentParser, mustache, nioPosix, nioWebSocket, yams,
            ]),
        tests(
            "ControllerService",
            [
                "AccessTokens", "CommandRunner", "CurlTransfer", "OCIRegistry", "ServiceHTTP", "ServiceRuntime", httpTypes,
                "PodmanClient", "PodmanTestSupport", "PostgresTestSupport", hummingbird, hummingbirdTesting, lifecycle, "OpenSSLCrypto",
                "PlatformModel", "Postgres", "TaskOutbox", "WebSocketTestSupport", logging,
            ]),
        service(
            "ImageBuilderService",
            ["CSystemCalls", "CommandRunner", "OCIRegistry", "ObjectStorage", "OpenSSLCrypto", unixSignals, yams]),
        tests("ImageBuilderService", ["BuildTestSupport", "CommandRunner", "OpenSSLCrypto", "PlatformModel"]),
        service("LogShipperService", ["ForwardProtocol", nioPosix]),
        tests("LogShipperService", ["ForwardProtocol", logging, nioCore]),
        service("LoggerService", ["AccessTokens", "CurlTransfer", "ForwardProtocol", nioPosix, systemPackage]),
        tests(
            "LoggerService",
            [
                "AccessTokens", "ForwardProtocol", "PlatformModel", "ServiceHTTP", "ServiceRuntime", hummingbird,
                hummingbirdTesting, lifecycle, logging, nioCore, nioPosix, systemPackage,
            ]),
        service(
            "OperatorTool",
            [
                "AMQPClient", "AccessTokens", "CSystemCalls", "CommandRunner", "CurlTransfer", "OpenSSLCrypto",
                "PodmanClient", "Postgres", "TaskQueue", argumentParser,
                unixSignals,
            ]),
        tests(
            "OperatorTool",
            [
                "AMQPClient", "BrokerTestSupport", "CommandRunner", "CurlTransfer", "OpenSSLCrypto", "PlatformModel",
                "ServiceRuntime", "TaskQueue",
                argumentParser, logging,
            ]),
        service("PassportService", ["AccessTokens", "MetricsExposition", "OpenSSLCrypto", "Postgres", mustache]),
        tests(
            "PassportService",
            [
                "AccessTokens", "ConcurrencyPrimitives", "CurlTransfer", "OpenSSLCrypto", "PlatformModel", "Postgres",
                "ServiceHTTP", "ServiceRuntime", hummingbird, hummingbirdTesting, jwtKit, logging,
            ]),
        service(
            "RegistryService",
            [
                "AccessTokens", "CLibCrypt", "CurlTransfer", "MetricsExposition", "OCIRegistry", "ObjectStorage",
                "OpenSSLCrypto", hummingbirdTLS, nioHTTP1, nioSSL,
            ]),
        tests(
            "RegistryService",
            [
                "AccessTokens", "CommandRunner", "CurlTransfer", "OCIRegistry", "ObjectStorage", "OpenSSLCrypto", "ServiceHTTP",
                hummingbird, hummingbirdTesting,
            ]),
        service(
            "RouterService", ["AccessTokens", "CommandRunner", "CurlTransfer", "MetricsExposition", "OpenSSLCrypto"],
            resources: [.embedInCode("Edge/edge.lua")]),
        tests(
            "RouterService",
            [
                "AccessTokens", "CommandRunner", "ConcurrencyPrimitives", "CurlTransfer", "OpenSSLCrypto",
                "PlatformModel", "ServiceHTTP",
                "ServiceRuntime", "WebSocketServer", hummingbird, httpTypes, lifecycle, logging, nioCore, nioPosix,
            ]),

        // MARK: - Shared

        shared(
            "AMQPClient", ["CLibRabbitMQ", "CSystemCalls", "ConcurrencyPrimitives", "PlatformModel", logging, metrics]),
        tests("AMQPClient", [logging]),
        shared(
            "AccessTokens",
            [
                "ConcurrencyPrimitives", "CurlTransfer", "OpenSSLCrypto", "PlatformModel", "ServiceHTTP", hummingbird,
                httpTypes, jwtKit, logging,
            ]),
        tests(
            "AccessTokens",
            [
                "CurlTransfer", "OpenSSLCrypto", "PlatformModel", "ServiceHTTP", httpTypes, hummingbird,
                hummingbirdTesting, logging, nioCore,
            ]),
        shared("CommandRunner", ["CSystemCalls", "ConcurrencyPrimitives", logging, subprocess, systemPackage]),
        tests("CommandRunner"),
        shared("ConcurrencyPrimitives", ["CSystemCalls"]),
        tests("ConcurrencyPrimitives"),
        shared("CurlTransfer", ["CLibCurl", "ConcurrencyPrimitives", "PlatformModel", httpTypes, logging]),
        tests("CurlTransfer", ["ConcurrencyPrimitives", hummingbird, httpTypes, nioCore, nioPosix]),
        shared("ForwardProtocol", [nioCore]),
        tests("ForwardProtocol", [nioCore]),
        shared("MetricsExposition", [coreMetrics]),
        tests("MetricsExposition", [coreMetrics]),
        shared("OCIRegistry", ["OpenSSLCrypto", "PlatformModel"]),
        tests("OCIRegistry"),
        shared(
            "ObjectStorage",
            ["CSystemCalls", "ConcurrencyPrimitives", "CurlTransfer", "OpenSSLCrypto", "PlatformModel", httpTypes]),
        tests("ObjectStorage", ["PlatformModel"]),
        shared("OpenSSLCrypto", ["COpenSSL", "ConcurrencyPrimitives"]),
        tests("OpenSSLCrypto"),
        shared("PlatformModel"),
        tests("PlatformModel"),
        shared(
            "PodmanClient",
            [
                "CommandRunner", "ConcurrencyPrimitives", "CurlTransfer", "PlatformModel", httpTypes, logging, nioCore,
                nioPosix,
            ]),
        tests(
            "PodmanClient",
            [
                "ConcurrencyPrimitives", "CurlTransfer", "PlatformModel", "PodmanTestSupport", hummingbird,
                hummingbirdCore, logging,
            ]),
        shared("Postgres", ["CLibPQ", "ConcurrencyPrimitives", "PlatformModel", lifecycle, logging, metrics]),
        tests("Postgres", [logging]),
        shared("SSHServer", ["CLibSSH", "CSystemCalls", "ConcurrencyPrimitives", logging, metrics]),
        tests("SSHServer", ["CommandRunner", logging]),
        shared(
            "ServiceHTTP",
            [
                "MetricsExposition", "PlatformModel", hummingbird, hummingbirdCore, httpTypes, lifecycle, logging,
                metrics, nioCore, nioHTTP1, nioHTTPTypes, nioHTTPTypesHTTP1, nioPosix,
            ]),
        tests(
            "ServiceHTTP",
            ["MetricsExposition", "OpenSSLCrypto", hummingbird, hummingbirdCore, hummingbirdTesting, httpTypes, nioCore]),
        shared(
            "ServiceRuntime",
            [
                "CSystemCalls", "MetricsExposition", "PlatformModel", "ServiceHTTP", configuration, hummingbird, lifecycle, logging,
                metrics, systemPackage, unixSignals,
            ]),
        tests("ServiceRuntime", ["PlatformModel", "ServiceHTTP"]),
        shared("TaskOutbox", ["ConcurrencyPrimitives", "PlatformModel", "Postgres", lifecycle, logging, metrics]),
        tests(
            "TaskOutbox",
            [
                "AMQPClient", "BrokerTestSupport", "ConcurrencyPrimitives", "PlatformModel", "Postgres",
                "PostgresTestSupport",
                "TaskQueue", logging,
            ]),
        shared("TaskQueue", ["AMQPClient", "ConcurrencyPrimitives", "PlatformModel", lifecycle, logging, metrics]),
        tests("TaskQueue", ["AMQPClient", "BrokerTestSupport", "PlatformModel", lifecycle, logging]),
        shared(
            "WebSocketServer",
            [
                "ConcurrencyPrimitives", "ServiceHTTP", hummingbirdCore, httpTypes, logging, nioCore, nioExtras,
                nioHTTP1, nioHTTPTypes, nioHTTPTypesHTTP1, nioWebSocket,
            ]),
        tests(
            "WebSocketServer", ["WebSocketTestSupport", hummingbird, httpTypes, lifecycle, logging, nioCore, nioPosix]),

        // MARK: - System

        system("CLibCrypt", pkgConfig: "libcrypt", apt: "libcrypt-dev"),
        system("CLibCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
        system("CLibPQ", pkgConfig: "libpq", apt: "libpq-dev"),
        system("CLibRabbitMQ", pkgConfig: "librabbitmq", apt: "librabbitmq-dev"),
        system("CLibSSH", pkgConfig: "libssh", apt: "libssh-dev"),
        system("COpenSSL", pkgConfig: "openssl", apt: "libssl-dev"),
        .target(name: "CSystemCalls", path: "Sources/System/CSystemCalls"),

        // MARK: - Test support and whole-platform tests

        .target(
            name: "PostgresTestSupport",
            dependencies: ["PlatformModel", "Postgres", "TestSupport", logging],
            path: "Tests/Support/PostgresTestSupport"),
        .target(
            name: "BrokerTestSupport",
            dependencies: [
                "AMQPClient", "CommandRunner", "ConcurrencyPrimitives", "PlatformModel", "TestSupport", logging,
            ],
            path: "Tests/Support/BrokerTestSupport"),
        .target(
            name: "BuildTestSupport",
            dependencies: [
                "AccessTokens", "CommandRunner", "CurlTransfer", "ObjectStorage", "OpenSSLCrypto", "PlatformModel",
                "PodmanClient", "PodmanTestSupport",
                "ServiceHTTP", "TestSupport", httpTypes, hummingbird, logging, nioCore, subprocess, systemPackage,
            ],
            path: "Tests/Support/BuildTestSupport"),
        .target(
            name: "PodmanTestSupport",
            dependencies: [
                "ConcurrencyPrimitives", "CommandRunner", "CurlTransfer", "PodmanClient", "TestSupport", subprocess,
                systemPackage,
            ],
            path: "Tests/Support/PodmanTestSupport"),
        .target(
            name: "TestSupport",
            dependencies: [
                "ConcurrencyPrimitives", "ServiceHTTP", hummingbird, hummingbirdCore, lifecycle, logging, nioCore,
            ],
            path: "Tests/Support/TestSupport"),
        .target(
            name: "WebSocketTestSupport",
            dependencies: [nioCore, nioPosix],
            path: "Tests/Support/WebSocketTestSupport"),
        .testTarget(
            name: "WholeTests",
            dependencies: [
                "CommandRunner", "CurlTransfer", "PlatformModel", "PodmanClient", "PodmanTestSupport", "TestSupport",
                httpTypes,
            ],
            path: "Tests/WholeTests"),
    ],
    swiftLanguageModes: [.v6]
)

/// Targets that touch C: every unsafe expression is marked there.
let bindings: Set = ["AMQPClient", "ConcurrencyPrimitives", "CurlTransfer", "OpenSSLCrypto", "Postgres", "SSHServer"]
for target in package.targets where target.type != .system && target.name != "CSystemCalls" {
    var settings = target.swiftSettings ?? []
    settings += [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .treatAllWarnings(as: .error),
    ]
    if bindings.contains(target.name) { settings.append(.strictMemorySafety()) }
    target.swiftSettings = settings
}
