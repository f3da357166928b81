#pragma once
// Linux calls that Glibc's module map does not show to Swift.
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/types.h>

/// accept4(2) with SOCK_CLOEXEC; -1 and errno on failure.
int syscalls_accept_cloexec(int descriptor);
/// pipe2(2) with O_CLOEXEC; a positive size sets the pipe's capacity in bytes.
int syscalls_pipe_cloexec(int descriptors[2], int capacity);
/// eventfd(2), nonblocking and close-on-exec.
int syscalls_eventfd(void);
/// Asks the kernel to send `signal` to this process when its parent dies (prctl PR_SET_PDEATHSIG).
int syscalls_parent_death_signal(int signal);
/// Names the calling thread for debuggers; at most 15 bytes count (pthread_setname_np).
void syscalls_name_thread(const char *name);
/// pidfd_open(2): a descriptor that becomes readable when the process ends; close-on-exec.
int syscalls_pidfd_open(pid_t pid);
/// posix_spawn_file_actions_addchdir_np(3): the child starts in `directory`.
int syscalls_spawn_in_directory(posix_spawn_file_actions_t *actions, const char *directory);
/// Whether the kernel's clock is kept right by a time service: 1, or 0 when nothing does (adjtimex).
int syscalls_clock_is_synchronised(void);
/// Reads what is in the page cache, without waiting for the disk; -1 with EAGAIN when nothing is.
ssize_t syscalls_read_loaded(int descriptor, void *buffer, size_t count, off_t offset);
/// The process that listens on a unix socket, numbered as this process sees it (unix(7), SO_PEERCRED); 0 when it is in
/// another process namespace, -1 and errno on failure.
pid_t syscalls_listening_process(const char *path);
