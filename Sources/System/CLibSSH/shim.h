#pragma once
#include <libssh/libssh.h>
#include <libssh/server.h>
#include <libssh/callbacks.h>

// ssh_callbacks_init is a function-like macro, which Swift does not import.
static inline void ssh_shim_init_server_callbacks(struct ssh_server_callbacks_struct *callbacks) { callbacks->size = sizeof *callbacks; }
static inline void ssh_shim_init_channel_callbacks(struct ssh_channel_callbacks_struct *callbacks) { callbacks->size = sizeof *callbacks; }
