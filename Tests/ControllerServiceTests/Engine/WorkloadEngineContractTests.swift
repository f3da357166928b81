import PodmanTestSupport
import Testing

@testable import ControllerService

@Suite(.timeLimit(.minutes(3)))
struct WorkloadEngineContractTests {
    @Test func memoryKeepsTheContract() async throws {
        try await WorkloadEngineContract(engine: MemoryEngine()).verify()
    }

    @Test(.enabled(if: PodmanService.isPossible)) func podmanKeepsTheContract() async throws {
        try await withPodmanEngine { engine, _ in try await WorkloadEngineContract(engine: engine).verify() }
    }
}
