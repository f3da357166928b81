import ImageBuilderService

@main
struct Entrypoint {
    static func main() async { await ImageBuilder.main() }
}
