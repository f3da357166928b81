import FoundationEssentials
import PlatformModel
import PodmanClient

extension PodmanEngine {
    /// What the usual images need to change user, own files and listen on low ports; nothing that reaches the host.
    private static let capabilities = [
        "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID",
    ]

    /// Stores the environment's values and describes the container.
    func specification(
        _ workload: Workload, _ labels: PodLabels, logFile: String
    ) async throws -> ContainerSpecification {
        var specification = ContainerSpecification(name: labels.pod.text, image: workload.image)
        specification.entrypoint = workload.command.isEmpty ? nil : workload.command
        specification.command = workload.arguments.isEmpty ? nil : workload.arguments
        specification.labels = try labels.encoded()
        specification.hostName = String(labels.pod.text.suffix(63))
        specification.join(networkName(of: workload.app), aliases: [workload.processType.text])
        specification.resources = .init(
            memory: workload.limits.memoryBytes, milliCPU: workload.limits.milliCPU,
            processes: workload.limits.processes)
        specification.logging = .file(logFile, size: configuration.logLimit)
        specification.stopTimeout = Int(workload.gracePeriod.components.seconds)
        specification.lifetime = workload.lifetime.map { Int($0.components.seconds) }
        specification.droppedCapabilities = ["ALL"]
        specification.addedCapabilities = Self.capabilities
        try await addEnvironment(of: workload, labels.pod, to: &specification)
        return specification
    }

    /// One secret a value, named after the pod; podman stores no empty ones, and an empty value hides nothing.
    private func addEnvironment(
        of workload: Workload, _ pod: PodName, to specification: inout ContainerSpecification
    ) async throws {
        let values = workload.environment.reveal().sorted { $0.key < $1.key }
        for (number, (name, value)) in values.enumerated() {
            guard !value.isEmpty else {
                specification.environment[name] = ""
                continue
            }
            guard value.utf8.count <= PodmanClient.largestSecret else {
                throw EngineError(.refused, "The value of \(name) is longer than 500 kB.")
            }
            let secret = SecretName.make(app: workload.app, pod: pod, number: number)
            try await podman.replaceSecret(secret, Secret(value))
            specification.secretEnvironment[name] = secret
        }
    }
}
