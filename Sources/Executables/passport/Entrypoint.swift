import PassportService

@main
struct Entrypoint {
    static func main() async {
        await PassportCommand.run(arguments: Array(CommandLine.arguments.dropFirst()))
    }
}
