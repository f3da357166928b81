import Glibc

/// Makes a named pipe, by which a test lets a script go on.
func makePipe(_ path: String) -> Bool { mkfifo(path, 0o600) == 0 }
