import CommandRunner
import FoundationEssentials

/// Checks of the machine itself, whether or not anything was installed.
struct HostChecks: Sendable {
    /// Where the installation is or would be.
    let root: String
    var machine = Machine()

    var all: [Check] {
        [
            Check("packages") { packages() },
            Check("versions") { try await versions() },
            Check("users") { users() },
            Check("nginx lua module") { luaModule() },
            Check("disk space") { try await diskSpace() },
            Check("inodes") { try await inodes() },
            Check("memory") { try memory() },
            Check("limits") { limits() },
            Check("cgroups") { try cgroups() },
            Check("kernel") { try kernel() },
            Check("clock") { clock() },
        ]
    }

    private func packages() -> Finding {
        let needed = [
            ("/usr/sbin/nginx", "nginx"), ("/usr/bin/podman", "podman"), ("/usr/bin/buildah", "buildah"),
            ("/usr/bin/git", "git"), ("/usr/bin/ssh", "openssh-client"), ("/usr/bin/epmd", "rabbitmq-server"),
            ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"), ("/usr/sbin/runc", "runc"),
            ("/usr/lib/podman/netavark", "netavark"), ("/usr/lib/podman/aardvark-dns", "aardvark-dns"),
            ("/bin/busybox", "busybox-static"), ("/usr/bin/setpriv", "util-linux"), ("/bin/ip", "iproute2"),
        ]
        var missing = needed.filter { !machine.hasProgram($0.0) }.map(\.1)
        if machine.postgresPrograms == nil { missing.append("postgresql") }
        guard missing.isEmpty else {
            let names = Array(Set(missing)).sorted().joined(separator: " ")
            return .fail("missing: \(names)", next: "apt-get install \(names)")
        }
        return .ok("\(needed.count + 1) programs found")
    }

    private func versions() async throws -> Finding {
        let programs: [(name: String, command: Command, least: [Int])] = [
            ("podman", Command(machine.path("/usr/bin/podman"), ["--version"], environment: ["HOME": "/tmp"]), [4, 3]),
            ("nginx", Command(machine.path("/usr/sbin/nginx"), ["-v"]), [1, 18]),
            ("git", Command(machine.path("/usr/bin/git"), ["--version"]), [2, 30]),
            ("postgres", Command("\(machine.postgresPrograms ?? "")/postgres", ["--version"]), [14]),
        ]
        var seen: [String] = []
        var old: [String] = []
        for program in programs {
            let result = try await CommandRunner.run(program.command)
            let version = Self.version(in: result.text + " " + result.errorText)
            seen.append("\(program.name) \(version.map(String.init).joined(separator: "."))")
            if version.lexicographicallyPrecedes(program.least) { old.append(program.name) }
        }
        guard old.isEmpty else {
            return .fail(seen.joined(separator: ", "), next: "upgrade \(old.joined(separator: ", "))")
        }
        return .ok(seen.joined(separator: ", "))
    }

    /// The first number with a dot in it, as its parts.
    static func version(in text: String) -> [Int] {
        let words = text.split { !($0.isNumber || $0 == ".") }
        let version = words.first { $0.contains(".") && $0.first?.isNumber == true }
        return version?.split(separator: ".").compactMap { Int($0) } ?? []
    }

    private func users() -> Finding {
        guard machine.isRoot else { return .ok("not root: servers run as \(SystemUser.current?.name ?? "this user")") }
        let missing = ["postgres", "rabbitmq", "www-data"].filter { !machine.hasUser($0) }
        guard missing.isEmpty else {
            let next = "apt-get install postgresql rabbitmq-server nginx"
            return .fail("no user \(missing.joined(separator: ", "))", next: next)
        }
        return .ok("postgres, rabbitmq, www-data")
    }

    private func luaModule() -> Finding {
        let files = [
            "/usr/lib/nginx/modules/ngx_http_lua_module.so", "/usr/lib/nginx/modules/ndk_http_module.so",
            "/usr/share/lua/5.1/resty/core.lua", "/usr/share/lua/5.1/resty/lrucache.lua",
        ]
        guard let missing = files.first(where: { !machine.hasFile($0) }) else {
            return .ok("module and lua-resty-core")
        }
        return .fail("\(missing) is missing", next: "apt-get install libnginx-mod-http-lua lua-resty-core")
    }

    private func diskSpace() async throws -> Finding {
        let disk = try await machine.disk(root)
        if disk.freeBytes < 2 << 30 { return .fail(disk.text, next: "free some room; images need it") }
        if disk.freeBytes < 10 << 30 { return .warn(disk.text, next: "free some room before it is needed") }
        return .ok(disk.text)
    }

    private func inodes() async throws -> Finding {
        let disk = try await machine.disk(root)
        // Some file systems make inodes as they are needed and tell 0.
        if disk.freeInodes > 0, disk.freeInodes < 50_000 {
            return .warn("\(disk.freeInodes) free", next: "remove small files on this file system")
        }
        return .ok("\(disk.freeInodes) free")
    }

    private func memory() throws -> Finding {
        let lines = try machine.text("/proc/meminfo").split(separator: "\n")
        let kibibytes = lines.first { $0.hasPrefix("MemAvailable:") }.flatMap { Int64($0.filter(\.isNumber)) } ?? 0
        let text = "\(DiskStatus.size(kibibytes * 1024)) available"
        if kibibytes < 512 << 10 { return .fail(text, next: "stop other programs or add memory") }
        if kibibytes < 1536 << 10 { return .warn(text, next: "builds may run short of memory") }
        return .ok(text)
    }

    private func limits() -> Finding {
        let files = machine.openFiles
        let text = "open files \(files.soft), at most \(files.hard)"
        return files.hard < 4096 ? .warn(text, next: "ulimit -n 65536 before workflow up") : .ok(text)
    }

    private func cgroups() throws -> Finding {
        let wanted = ["cpu", "memory", "pids"]
        let controllers = try machine.text("/sys/fs/cgroup/cgroup.controllers")
        if machine.hasFile("/sys/fs/cgroup/cgroup.controllers") {
            let names = Set(controllers.split { $0.isWhitespace }.map(String.init))
            let missing = wanted.filter { !names.contains($0) }
            return missing.isEmpty
                ? .ok("version 2 with cpu, memory, pids")
                : .warn("version 2 without \(missing.joined(separator: ", "))", next: "apps' limits will not all hold")
        }
        let missing = wanted.filter { !machine.hasFile("/sys/fs/cgroup/\($0)") }
        return missing.isEmpty
            ? .ok("version 1 with cpu, memory, pids")
            : .warn(
                "version 1 without \(missing.joined(separator: ", "))",
                next: "mount the cgroup hierarchies; apps' limits will not hold")
    }

    private func kernel() throws -> Finding {
        let release = try machine.text("/proc/sys/kernel/osrelease").filter { !$0.isNewline }
        let forwards = try machine.text("/proc/sys/net/ipv4/ip_forward").first == "1"
        let overlays = try machine.text("/proc/filesystems").contains("overlay")
        if !overlays { return .warn("\(release) without overlayfs", next: "modprobe overlay; images would be copied") }
        return .ok("\(release), overlayfs\(forwards ? ", forwarding" : "; the engine turns forwarding on")")
    }

    private func clock() -> Finding {
        let now = machine.now
        if now.timeIntervalSince1970 < 1_735_689_600 {
            let next = "set the clock: certificates and tokens depend on it"
            return .fail("the clock says \(now.ISO8601Format())", next: next)
        }
        return machine.isClockSynchronised
            ? .ok("\(now.ISO8601Format()), synchronised")
            : .warn("\(now.ISO8601Format()), not synchronised", next: "apt-get install systemd-timesyncd or chrony")
    }
}
