import ControllerService

@main
struct Entrypoint {
    static func main() async {
        await ControllerCommand.launch()
    }
}
