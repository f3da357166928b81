import PlatformModel

extension AppSettings {
    /// The settings after a request; members left out keep their value.
    ///
    /// - Throws: ``Refusal`` 400 for members that break a rule, 422 for removing what is not there.
    func applying(_ body: [String: JSONValue]) throws(Refusal) -> AppSettings {
        var form = Form(body)
        var result = self
        result.routable = form.optionalFlag("routable") ?? routable
        result.autodeploy = form.optionalFlag("autodeploy") ?? autodeploy
        result.autorollback = form.optionalFlag("autorollback") ?? autorollback
        let autoscale = form.optionalObject("autoscale") ?? [:]
        let label = form.optionalObject("label") ?? [:]
        try form.validated()
        for (ptype, value) in autoscale.sorted(by: { $0.key < $1.key }) {
            try ConfigRule.require(ConfigRule.ptype(ptype), "autoscale")
            guard ptype != "run" else {
                throw .invalid("Cannot set autoscale for reserved types, procfile type is: run")
            }
            if value.isNull {
                guard result.autoscale.removeValue(forKey: ptype) != nil else {
                    throw .unprocessable("\(ptype) does not exist under autoscale")
                }
            } else {
                result.autoscale[ptype] = try Self.autoscale(value)
            }
        }
        for (key, value) in label.sorted(by: { $0.key < $1.key }) {
            if value.isNull {
                guard result.label.removeValue(forKey: key) != nil else {
                    throw .unprocessable("\(key) does not exist under label")
                }
            } else {
                result.label[key] = value
            }
        }
        return result
    }

    private static func autoscale(_ value: JSONValue) throws(Refusal) -> Autoscale {
        guard let min = value["min"]?.looseInteger, let max = value["max"]?.looseInteger,
            let percent = value["cpu_percent"]?.looseInteger
        else { throw .field("autoscale", "min, max and cpu_percent are required and must be integers") }
        guard min >= 1 else { throw .invalid("min replicas needs to be 1 or higher") }
        guard max >= min else { throw .invalid("max replicas can not be smaller than min replicas") }
        guard max <= ProcessRule.largestCount, (1...1000).contains(percent) else {
            throw .field("autoscale", "cpu_percent needs to be 1 or higher")
        }
        return Autoscale(min: min, max: max, cpuPercent: percent)
    }
}
