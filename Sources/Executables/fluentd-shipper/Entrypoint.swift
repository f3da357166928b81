import LogShipperService

@main
struct Entrypoint {
    static func main() async {
        await LogShipper.run()
    }
}
