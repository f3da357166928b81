import BuilderService

@main
struct Entrypoint {
    static func main() async { await Builder.run(arguments: CommandLine.arguments) }
}
