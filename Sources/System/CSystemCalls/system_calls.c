#define _GNU_SOURCE
#include "system_calls.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <unistd.h>

int syscalls_accept_cloexec(int descriptor) { return accept4(descriptor, 0, 0, SOCK_CLOEXEC); }

int syscalls_pipe_cloexec(int descriptors[2], int capacity) {
    int result = pipe2(descriptors, O_CLOEXEC);
    if (result == 0 && capacity > 0) fcntl(descriptors[1], F_SETPIPE_SZ, capacity);
    return result;
}

int syscalls_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

int syscalls_parent_death_signal(int signal) { return prctl(PR_SET_PDEATHSIG, signal); }

void syscalls_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int syscalls_pidfd_open(pid_t pid) { return pidfd_open(pid, 0); }

int syscalls_spawn_in_directory(posix_spawn_file_actions_t *actions, const char *directory) {
    return posix_spawn_file_actions_addchdir_np(actions, directory);
}

int syscalls_clock_is_synchronised(void) {
    struct timex state = {0};
    int answer = adjtimex(&state);
    return answer != -1 && answer != TIME_ERROR;
}

ssize_t syscalls_read_loaded(int descriptor, void *buffer, size_t count, off_t offset) {
    struct iovec part = {buffer, count};
    return preadv2(descriptor, &part, 1, offset, RWF_NOWAIT);
}
