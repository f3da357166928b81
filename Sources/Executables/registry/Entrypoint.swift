import RegistryService

@main
struct Entrypoint {
    static func main() async {
        await RegistryCommand.run(Array(CommandLine.arguments.dropFirst()))
    }
}
