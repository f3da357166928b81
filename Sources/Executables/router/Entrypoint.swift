import RouterService

@main
struct Entrypoint {
    static func main() async { await Router.run() }
}
