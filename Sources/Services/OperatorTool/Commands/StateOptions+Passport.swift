import CommandRunner

extension StateOptions {
    /// Runs one of passport's commands that read a password from their input, on the running installation.
    ///
    /// - Returns: what passport printed.
    /// - Throws: ``OperatorError`` when the platform does not run, or with passport's own words.
    func passport(_ arguments: [String], password: String) async throws -> String {
        let (state, settings) = try installed()
        guard try Running.supervisor(of: state) != nil else {
            throw OperatorError("the platform is not running", next: "workflow up")
        }
        var command = try PlatformPlan(state: state, settings: settings, programs: .besideThisProgram())
            .passportCommand(arguments)
        command.standardInput = Array("\(password)\n".utf8)
        let result = try await CommandRunner.run(command)
        guard result.exit.isSuccess else { throw OperatorError(result.errorText) }
        return result.text
    }
}
