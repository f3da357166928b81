#define _GNU_SOURCE
#include "system_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
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

pid_t syscalls_listening_process(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    struct ucred peer = {.pid = -1};
    socklen_t length = sizeof peer;
    int code = connect(descriptor, (struct sockaddr *)&address, sizeof address);
    if (code == 0) code = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    int problem = errno;
    close(descriptor);
    errno = problem;
    return code == 0 ? peer.pid : -1;
}
