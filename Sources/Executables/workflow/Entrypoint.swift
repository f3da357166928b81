import OperatorTool

@main
struct Entrypoint {
    static func main() async { await WorkflowCommand.start() }
}
