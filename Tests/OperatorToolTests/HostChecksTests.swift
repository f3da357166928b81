import FoundationEssentials
import Glibc
import TestSupport
import Testing

@testable import OperatorTool

/// The doctor's checks of the host, each on a machine that is well and on one that is not.
@Suite struct HostChecksTests {
    private static let memory = "MemTotal: 8000000 kB\nMemAvailable: "

    private struct Case: Sendable {
        let check: String
        let grade: Finding.Grade
        let evidence: String
        let change: @Sendable (inout Machine) throws -> Void
    }

    private static let cases = [
        Case(check: "inodes", grade: .warn, evidence: "4000 free") { machine in
            machine.disk = { DiskStatus(path: $0, totalBytes: 1 << 40, freeBytes: 1 << 39, freeInodes: 4000) }
        },
        Case(check: "disk space", grade: .fail, evidence: "1.0 GiB of 8.0 GiB free") { machine in
            machine.disk = { DiskStatus(path: $0, totalBytes: 8 << 30, freeBytes: 1 << 30, freeInodes: 0) }
        },
        Case(check: "users", grade: .fail, evidence: "rabbitmq") { $0.hasUser = { $0 != "rabbitmq" } },
        Case(check: "limits", grade: .warn, evidence: "at most 1024") { $0.openFiles = (1024, 1024) },
        Case(check: "clock", grade: .fail, evidence: "1970") { $0.now = Date(timeIntervalSince1970: 0) },
        Case(check: "memory", grade: .fail, evidence: "0.0 GiB") {
            try write("\(memory)1000 kB\n", "proc/meminfo", $0)
        },
        Case(check: "kernel", grade: .warn, evidence: "without overlayfs") {
            try write("ext4\n", "proc/filesystems", $0)
        },
        Case(check: "cgroups", grade: .warn, evidence: "without memory") {
            try write("cpu pids\n", "sys/fs/cgroup/cgroup.controllers", $0)
        },
        Case(check: "packages", grade: .fail, evidence: "podman") { machine in
            try FileManager.default.removeItem(atPath: machine.path("/usr/bin/podman"))
        },
        Case(check: "versions", grade: .fail, evidence: "nginx 1.2.3") { try program("usr/sbin/nginx", "1.2.3", $0) },
        Case(check: "nginx lua module", grade: .fail, evidence: "lrucache.lua") { machine in
            try FileManager.default.removeItem(atPath: machine.path("/usr/share/lua/5.1/resty/lrucache.lua"))
        },
    ]

    @Test func everyCheckPassesOnAMachineThatIsWell() async throws {
        try await withTemporaryDirectory("machine") { directory in
            let checks = HostChecks(root: "/", machine: try Self.machine(in: directory)).all
            #expect(Set(checks.map(\.name)) == Set(Self.cases.map(\.check)))
            for check in checks {
                let finding = await check.run()
                #expect(finding.grade == .ok, "\(check.name): \(finding)")
                #expect(finding.next == nil, "\(check.name)")
            }
        }
    }

    @Test func everyCheckSaysWhatIsWrongAndWhatToDo() async throws {
        for item in Self.cases {
            try await withTemporaryDirectory("machine") { directory in
                var machine = try Self.machine(in: directory)
                try item.change(&machine)
                let checks = HostChecks(root: "/", machine: machine).all
                let check = try #require(checks.first { $0.name == item.check })
                let finding = await check.run()
                #expect(finding.grade == item.grade, "\(item.check): \(finding)")
                #expect(finding.evidence.contains(item.evidence), "\(item.check): \(finding)")
                #expect(finding.next?.isEmpty == false, "\(item.check)")
            }
        }
    }

    private static func machine(in directory: String) throws -> Machine {
        var machine = Machine(prefix: directory)
        machine.isRoot = true
        machine.hasUser = { _ in true }
        machine.openFiles = (1024, 65_536)
        machine.isClockSynchronised = true
        machine.disk = { DiskStatus(path: $0, totalBytes: 1 << 40, freeBytes: 1 << 39, freeInodes: 1 << 20) }
        for path in [
            "usr/bin/ssh", "usr/bin/epmd", "usr/bin/buildah", "usr/lib/rabbitmq/bin/rabbitmq-server", "usr/sbin/runc",
            "usr/lib/podman/netavark", "usr/lib/podman/aardvark-dns", "bin/busybox", "usr/bin/setpriv", "bin/ip",
        ] { try program(path, "1.0", machine) }
        try program("usr/bin/podman", "4.3.1", machine)
        try program("usr/bin/git", "2.39.5", machine)
        try program("usr/sbin/nginx", "1.22.1", machine)
        try program("usr/lib/postgresql/15/bin/postgres", "15.8", machine)
        for path in [
            "usr/lib/nginx/modules/ngx_http_lua_module.so", "usr/lib/nginx/modules/ndk_http_module.so",
            "usr/share/lua/5.1/resty/core.lua", "usr/share/lua/5.1/resty/lrucache.lua",
        ] { try write("", path, machine) }
        try write("\(memory)4000000 kB\n", "proc/meminfo", machine)
        try write("overlay\n", "proc/filesystems", machine)
        try write("6.1.0\n", "proc/sys/kernel/osrelease", machine)
        try write("cpu memory pids\n", "sys/fs/cgroup/cgroup.controllers", machine)
        return machine
    }

    private static func program(_ path: String, _ version: String, _ machine: Machine) throws {
        try write("#!/bin/sh\necho version \(version)\n", path, machine)
        guard chmod(machine.path("/\(path)"), 0o755) == 0 else {
            throw OperatorError("\(path) cannot be made a program")
        }
    }

    private static func write(_ text: String, _ path: String, _ machine: Machine) throws {
        let url = URL(filePath: machine.path("/\(path)"))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
    }
}
