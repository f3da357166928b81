import PlatformModel

/// What a build request must satisfy.
enum BuildRule {
    /// Reads and checks the body of a build request.
    ///
    /// - Parameter allowsLoopback: true for images our own registry holds under a loopback address.
    /// - Throws: ``Refusal`` 400.
    static func content(_ body: [String: JSONValue], allowsLoopback: Bool = false) throws(Refusal) -> BuildContent {
        var form = Form(body)
        let image = form.text("image", limit: 512)
        let stack = form.text("stack", limit: 32)
        let sha = form.optionalText("sha", limit: 40) ?? ""
        let dockerfile = form.optionalText("dockerfile") ?? ""
        let procfile = readProcfile(&form)
        let dryccfile = form.optionalObject("dryccfile") ?? [:]
        for problem in DryccfileRule.problems(with: dryccfile) { form.refuse("dryccfile", problem) }
        try form.validated()
        let content = BuildContent(
            image: image, stack: stack, sha: sha, procfile: procfile, dryccfile: .object(dryccfile),
            dockerfile: dockerfile)
        if !allowsLoopback { try refuseLoopback(content) }
        return content
    }

    private static func readProcfile(_ form: inout Form) -> [String: String] {
        guard let given = form.optionalObject("procfile") else { return [:] }
        var procfile: [String: String] = [:]
        for (ptype, line) in given.sorted(by: { $0.key < $1.key }) {
            if let problem = ProcessTypeRule.problem(with: ptype) {
                form.refuse("procfile", problem)
            } else if let text = line.stringValue, text.contains(where: { !$0.isWhitespace }), !text.utf8.contains(0) {
                procfile[ptype] = text
            } else {
                form.refuse("procfile", "Command can't be empty for process type")
            }
        }
        return procfile
    }

    /// An image under a loopback name would mean another machine's loopback where the app runs.
    private static func refuseLoopback(_ content: BuildContent) throws(Refusal) {
        let offer = BuildOffer(content)
        for ptype in offer.ptypes {
            let host = offer.launch(of: ptype).image.split(separator: "/", omittingEmptySubsequences: false)
            guard host.count > 1, let first = host.first else { continue }
            let name = first.split(separator: ":", omittingEmptySubsequences: false).first ?? ""
            guard !["localhost", "127.0.0.1", "[", "0.0.0.0"].contains(name) else {
                throw .invalid("image must not use the loopback address")
            }
        }
    }
}
