import LoggerService

@main
struct Entrypoint {
    static func main() async {
        await LogServer.run()
    }
}
