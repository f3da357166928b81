import CSystemCalls
import Glibc

/// Starts plain threads for C libraries whose calls block.
package enum OperatingSystemThread {
    /// Runs `body` on a new detached thread.
    ///
    /// - Parameters:
    ///   - name: shown by debuggers; cut to 15 bytes, the kernel's limit.
    ///   - stackSize: in bytes; memory is used only as it is touched.
    package static func start(name: String, stackSize: Int, _ body: @escaping @Sendable () -> Void) {
        let context = unsafe Unmanaged.passRetained(ThreadBody(name: String(name.prefix(15)), run: body)).toOpaque()
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        unsafe pthread_attr_setstacksize(&attributes, stackSize)
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let code = unsafe pthread_create(&thread, &attributes, runThreadBody, context)
        unsafe pthread_attr_destroy(&attributes)
        // Out of threads is out of memory: the process cannot do its work.
        precondition(code == 0, "cannot create a thread: \(code)")
    }
}

private final class ThreadBody: Sendable {
    let name: String
    let run: @Sendable () -> Void

    init(name: String, run: @escaping @Sendable () -> Void) {
        self.name = name
        self.run = run
    }
}

private func runThreadBody(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context = unsafe context else { return nil }
    let body = unsafe Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue()
    unsafe syscalls_name_thread(body.name)
    body.run()
    return nil
}
