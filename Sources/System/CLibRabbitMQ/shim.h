#pragma once
// rabbitmq-c moved its headers into a folder of their own after 0.11.
#if __has_include(<rabbitmq-c/amqp.h>)
#include <rabbitmq-c/amqp.h>
#include <rabbitmq-c/framing.h>
#include <rabbitmq-c/ssl_socket.h>
#include <rabbitmq-c/tcp_socket.h>
#else
#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#endif

static inline amqp_bytes_t amqp_shim_bytes(const void *pointer, size_t length) {
    amqp_bytes_t bytes = {length, (void *)pointer};
    return bytes;
}

/// amqp_login is variadic over the SASL method's arguments.
static inline amqp_rpc_reply_t amqp_shim_login_plain(amqp_connection_state_t state, const char *vhost, int channel_max,
                                                     int frame_max, int heartbeat, const char *user, const char *password) {
    return amqp_login(state, vhost, channel_max, frame_max, heartbeat, AMQP_SASL_METHOD_PLAIN, user, password);
}

/// amqp_login_with_properties is variadic too; the properties let operators tell connections apart.
static inline amqp_rpc_reply_t amqp_shim_login_plain_named(amqp_connection_state_t state, const char *vhost, int channel_max,
                                                           int frame_max, int heartbeat, const amqp_table_t *properties,
                                                           const char *user, const char *password) {
    return amqp_login_with_properties(state, vhost, channel_max, frame_max, heartbeat, properties, AMQP_SASL_METHOD_PLAIN,
                                      user, password);
}
